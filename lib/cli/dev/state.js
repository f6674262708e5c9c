'use strict';

// What the servers that the `dev` command runs in one working directory share, secrets and a list, and the ports of all.

const { createHash, randomBytes } = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { CommandError } = require('../command-error.js');
const { isRunning } = require('../processes.js');

const FIRST_PORT = 3000;
const PORTS = 1_000;

/** @typedef {{ path: string, listUrl: string }} Folder */

/**
 * The folder for a working directory, which only the current user can read.
 * @param {string} directory
 * @returns {Folder}
 */
function devFolder(directory) {
  // Windows has no user numbers, but a folder for temporary files for each user.
  const uid = process.getuid?.();
  const own = path.join(os.tmpdir(), uid === undefined ? 'clustershazbot-dev' : `clustershazbot-dev-${uid}`);
  const name = createHash('sha256').update(fs.realpathSync(directory)).digest('hex').slice(0, 16);
  const folder = path.join(own, name);
  fs.mkdirSync(own, { mode: 0o700, recursive: true });
  const stat = fs.lstatSync(own);
  // Anybody may create files there. Another user must not choose the secrets.
  if (!stat.isDirectory() || (uid !== undefined && (stat.uid !== uid || (stat.mode & 0o077) !== 0))) {
    throw new CommandError(`${own} is not a folder that only you can use: remove it, or set TMPDIR`, 1);
  }
  fs.mkdirSync(folder, { mode: 0o700, recursive: true });
  return { path: folder, listUrl: pathToFileURL(path.join(folder, 'servers.json')).href };
}

/**
 * A random secret, the same each time.
 * @param {Folder} folder
 * @param {string} name
 */
function devSecret(folder, name) {
  const file = path.join(folder.path, name);
  const created = `${file}.${process.pid}`;
  if (!fs.existsSync(file)) {
    fs.writeFileSync(created, randomBytes(24).toString('base64url'), { mode: 0o600 });
    try {
      // Fails if another one was quicker; then that one counts.
      fs.linkSync(created, file);
    } catch {}
    fs.rmSync(created);
  }
  return fs.readFileSync(file, 'utf8');
}

/**
 * A port on which nothing listens, reserved for as long as this process runs.
 * @param {Folder} folder
 */
async function freePort(folder) {
  for (let port = FIRST_PORT; port < FIRST_PORT + PORTS; port++) {
    if ((await isFree(port)) && reserve(path.join(path.dirname(folder.path), `port-${port}`))) return port;
  }
  throw new CommandError(`No port from ${FIRST_PORT} to ${FIRST_PORT + PORTS - 1} is free: set PORT`, 1);
}

/**
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

/**
 * Two that start at the same time must not take the same port, before either listens.
 * @param {string} file that has the number of the process that has reserved the port
 */
function reserve(file) {
  try {
    const holder = fs.readFileSync(file, 'utf8');
    // Empty: another process is about to write its number.
    if (holder === '' || isRunning(Number(holder))) return false;
    fs.rmSync(file);
  } catch {
    // Nobody has reserved it.
  }
  try {
    fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}

module.exports = { devFolder, devSecret, freePort };
