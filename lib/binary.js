'use strict';

const { closeSync, existsSync, fstatSync, openSync, readSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');

function load() {
  const { platform, arch, version } = process;
  const abi = platform === 'linux' ? (isMusl() ? '-musl' : '-gnu') : platform === 'win32' ? '-msvc' : '';
  const target = `${platform}-${arch}${abi}`;
  const here = `${platform} ${arch}${abi && ` (${abi.slice(1)})`}, Node ${version}`;
  // What `npm run build` makes in a checkout.
  const built = join(__dirname, '..', `clustershazbot.${target}.node`);
  try {
    // What a bundler does not see.
    const own = createRequire(__filename);
    const place = existsSync(built) ? built : `clustershazbot-${target}`;
    if (platform === 'linux') mustBeWhole(() => own.resolve(place));
    let binary = place === built ? own(built) : undefined;
    // Each is written out, and in a `try`: bundlers, and whatever collects files for a deployment, see literals alone, and go
    // on without those that are not installed.
    switch (target) {
      case 'darwin-arm64':
        binary ??= require('clustershazbot-darwin-arm64');
        break;
      case 'darwin-x64':
        binary ??= require('clustershazbot-darwin-x64');
        break;
      case 'linux-arm64-gnu':
        binary ??= require('clustershazbot-linux-arm64-gnu');
        break;
      case 'linux-arm64-musl':
        binary ??= require('clustershazbot-linux-arm64-musl');
        break;
      case 'linux-x64-gnu':
        binary ??= require('clustershazbot-linux-x64-gnu');
        break;
      case 'linux-x64-musl':
        binary ??= require('clustershazbot-linux-x64-musl');
        break;
      case 'win32-arm64-msvc':
        binary ??= require('clustershazbot-win32-arm64-msvc');
        break;
      case 'win32-x64-msvc':
        binary ??= require('clustershazbot-win32-x64-msvc');
        break;
    }
    if (typeof binary?.Engine === 'function') return binary;
    if (binary) throw new Error('it is another addon, which has no Engine');
  } catch (error) {
    throw explained(error, `clustershazbot-${target}`, here);
  }
  const some = 'There is one for Linux (glibc and musl), macOS and Windows, each on x64 and arm64';
  throw failure('SHAZBOT_NO_BINARY', `there is no binary for ${here}. ${some}.`);
}

/**
 * @param {unknown} error
 * @param {string} name of the platform package
 * @param {string} here
 */
function explained(error, name, here) {
  const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
  const cause = (String(message).split('\n', 1)[0] ?? '').replace(/\.$/, '');
  // The latter is what Yarn's Plug'n'Play says.
  const isMissing = code === 'MODULE_NOT_FOUND' || /package missing from disk/.test(cause);
  if (isMissing && String(message).includes(name)) {
    return failure(
      'SHAZBOT_BINARY_NOT_INSTALLED',
      `the package ${name} is not installed, which has the binary for ${here}: ${cause}. It is an optional dependency. ` +
        'Install without --omit=optional; if the lock file or node_modules was made on another system, remove both ' +
        'first; where you bundle, leave clustershazbot external.',
      error,
    );
  }
  const text = `the binary of ${name} is there and does not load on ${here}: ${cause}. ${remedy(cause, code)}`;
  return failure('SHAZBOT_BINARY_UNLOADABLE', text, error);
}

/** Whether it is musl that this Node runs on: by the loader that its own file names. Node's report would take 10 ms. */
function isMusl() {
  try {
    const file = openSync(process.execPath, 'r');
    try {
      const loader = interpreter(file);
      if (loader.length > 0) return loader.includes('/ld-musl-');
    } finally {
      closeSync(file);
    }
  } catch {
    // The report tells, then.
  }
  const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  return header.glibcVersionRuntime === undefined;
}

/**
 * What the program header PT_INTERP of a 64-bit ELF file has.
 * @param {number} file
 */
function interpreter(file) {
  const header = read(file, 64, 0);
  const [size, count] = [header.readUInt16LE(54), header.readUInt16LE(56)];
  const table = read(file, size * count, Number(header.readBigUInt64LE(32)));
  for (let at = 0; at < table.length; at += size) {
    if (table.readUInt32LE(at) === 3) return read(file, 256, Number(table.readBigUInt64LE(at + 8)));
  }
  return Buffer.alloc(0);
}

/**
 * Throws where a binary is cut off: the system's loader would end the process without a word.
 * @param {() => string} find
 */
function mustBeWhole(find) {
  /** @type {string} */
  let path;
  /** @type {[has: number, whole: number]} */
  let sizes;
  try {
    path = find();
    sizes = sizesOf(path);
  } catch {
    // Whoever loads it says what is wrong.
    return;
  }
  const [has, whole] = sizes;
  if (has < whole) throw new Error(`${path} is cut off: it has ${has} of ${whole} bytes`);
}

/**
 * How many bytes a file has, and how many a 64-bit ELF file of its header: the table of its sections is the last of it.
 * @param {string} path
 * @returns {[has: number, whole: number]}
 */
function sizesOf(path) {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const header = read(file, 64, 0);
    if (header.readUInt32BE(0) !== 0x7f454c46) return [size, 0];
    return [size, Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60)];
  } finally {
    closeSync(file);
  }
}

/**
 * @param {number} file
 * @param {number} length
 * @param {number} position
 */
function read(file, length, position) {
  const bytes = Buffer.alloc(length);
  readSync(file, bytes, 0, length, position);
  return bytes;
}

/**
 * @param {string} cause
 * @param {string | undefined} code
 */
function remedy(cause, code) {
  if (code === 'ERR_DLOPEN_DISABLED') return 'Start Node with --allow-addons, and without --no-addons.';
  if (/--allow-ffi/.test(cause)) return 'Start Deno with --allow-ffi.';
  if (/permission denied|not permitted|failed to map segment/i.test(cause))
    return 'This process may not load it: look at the rights of the file, and whether its file system is mounted with noexec.';
  if (/GLIBC_/.test(cause))
    return 'It needs glibc 2.17 or newer, and the one here is older: use a newer system or image.';
  return 'It is damaged, for another system, or not ours: remove node_modules and install here. Where you bundle, leave clustershazbot external.';
}

/**
 * @param {string} code
 * @param {string} message
 * @param {unknown} [cause]
 */
function failure(code, message, cause) {
  const more = 'See "Where it does not load" in the README of clustershazbot.';
  return Object.assign(new Error(`clustershazbot: ${message} ${more}`, { cause }), { code });
}

/** @type {typeof import('./native')} */
const binary = load();

module.exports = { Engine: binary.Engine };
