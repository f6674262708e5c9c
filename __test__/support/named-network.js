'use strict';

// A network namespace with a resolver of its own, in which every address of 10.77.0.0/16 is this machine.

const { execFileSync, fork, spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const { writeFileSync } = require('node:fs');
const path = require('node:path');

const { folder } = require('../../harness/folder.js');

/** @typedef {import('../../harness/dns-server.js').Records} Records */

const isRoot = process.getuid?.() === 0;
const MAKE = [...(isRoot ? [] : ['--user', '--map-root-user']), '--net', '--mount'];
const ENTER = [...(isRoot ? [] : ['--user', '--preserve-credentials']), '--net', '--mount'];
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
const env = { ...process.env, PATH };

/** @param {string} resolver file */
const setUp = (resolver) =>
  `mount --bind ${resolver} /etc/resolv.conf && ip link set lo up && ip route add local 10.77.0.0/16 dev lo`;

const file = path.join(folder(), 'resolv.conf');
writeFileSync(file, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
const tried = spawnSync('unshare', [...MAKE, 'sh', '-c', setUp(file)], { env });
/** Why there can be no such network here, if there can be none. */
const missing =
  process.env.SHAZBOT_TEST_ALL !== '1' && tried.status !== 0
    ? `no network namespaces: ${String(tried.error?.message ?? tried.stderr).trim()}`
    : false;

/** @param {import('../../harness/cluster.js').Scope} scope */
async function startNamedNetwork(scope) {
  // cat ends with this process, however that ends.
  const holder = spawn('unshare', [...MAKE, 'sh', '-c', `${setUp(file)} && exec cat`], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  holder.stdin.write('.');
  await once(holder.stdout, 'data');
  const enter = ['nsenter', '--target', String(holder.pid), ...ENTER];
  const [execPath, ...execArgv] = [...enter, process.execPath];
  const server = fork(path.join(__dirname, '../../harness/dns-server.js'), { env, execPath, execArgv });
  scope.after(() => {
    server.disconnect();
    holder.stdin.end();
  });
  await once(server, 'message');
  /** @param {object} order */
  const tell = async (order) => {
    server.send(order);
    await once(server, 'message');
  };
  return {
    enter,
    /** Replaces all records. @param {Record<string, Records>} zone */
    setRecords: (zone) => tell({ zone }),
    /** @param {'answer' | 'fail' | 'silent'} mode */
    setMode: (mode) => tell({ mode }),
    /** A place for a server, at an address. @param {number} n */
    place: (n) => ({ host: addressOf(n), enter }),
    /** Runs a command there. @param {string[]} command */
    run: (...command) => execFileSync(/** @type {string} */ (enter[0]), [...enter.slice(1), ...command], { env }),
  };
}

/** @param {number} n */
const addressOf = (n) => `10.77.${n >> 8}.${n & 255}`;

module.exports = { addressOf, missing, startNamedNetwork };
