'use strict';

// Loads the native binary for this platform; if that fails, the error says what to do.

const { Buffer } = require('node:buffer');
const { closeSync, existsSync, fstatSync, openSync, readSync } = require('node:fs');
const { createRequire } = require('node:module');
const { dirname, join } = require('node:path');
const { withLink } = require('./errors.js');

function load() {
  const { platform, arch, version } = process;
  const abi = platform === 'linux' ? (isMusl() ? '-musl' : '-gnu') : platform === 'win32' ? '-msvc' : '';
  const target = `${platform}-${arch}${abi}`;
  const system = `${platform} ${arch}${abi && ` (${abi.slice(1)})`}, Node ${version}`;
  // Exists in a checkout only, after `npm run build`; or beside a single executable application, which finds no packages.
  const built = join(
    isSingleExecutable() ? dirname(process.execPath) : join(__dirname, '..'),
    `clustershazbot.${target}.node`,
  );
  try {
    // Not `require`: bundlers must not follow these calls.
    const hiddenRequire = createRequire(__filename);
    const isBuilt = existsSync(built);
    if (platform === 'linux') checkLength(() => hiddenRequire.resolve(isBuilt ? built : `clustershazbot-${target}`));
    let binary = isBuilt ? hiddenRequire(built) : undefined;
    // Literal names in a `try`: bundlers and tools that collect files for a deployment find only literals, and only in a
    // `try` do they accept that the packages of other platforms are not installed.
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
    if (binary) throw new Error('it is an addon of another package, without an Engine');
  } catch (error) {
    throw explained(error, `clustershazbot-${target}`, system);
  }
  const supported = 'Linux (glibc and musl), macOS and Windows, each on x64 and arm64';
  throw failure('SHAZBOT_NO_BINARY', `there is no binary for ${system}. There are binaries for ${supported}.`);
}

function isSingleExecutable() {
  // Node 20.0 to 20.15 do not have `getBuiltinModule`, and other runtimes may not have this module.
  const { getBuiltinModule } = /** @type {any} */ (process);
  return getBuiltinModule?.('node:sea')?.isSea() === true;
}

/** Whether this Node runs on musl. The loader's name stands at the beginning of Node's file; a report takes over 10 ms. */
function isMusl() {
  try {
    const { bytes } = readStart(process.execPath, 4_096);
    if (bytes.includes('/ld-musl-')) return true;
    if (bytes.includes('/ld-linux-')) return false;
  } catch {
    // Not readable: use the report.
  }
  const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  return header.glibcVersionRuntime === undefined;
}

/**
 * Throws if a Linux binary (ELF) is shorter than its header says. The system's loader would end the process with SIGBUS,
 * which JavaScript cannot catch.
 * @param {() => string} resolve
 */
function checkLength(resolve) {
  let path;
  let start;
  try {
    path = resolve();
    start = readStart(path, 64);
  } catch {
    // `require` reports it.
    return;
  }
  const { bytes, size } = start;
  if (bytes.readUInt32BE(0) !== 0x7f454c46) return;
  // The section table is the last part of the file: its offset, and the size and number of its entries.
  const expected = Number(bytes.readBigUInt64LE(40)) + bytes.readUInt16LE(58) * bytes.readUInt16LE(60);
  if (size < expected) throw new Error(`${path} is truncated: it has ${size} of ${expected} bytes`);
}

/**
 * @param {string} path
 * @param {number} length
 */
function readStart(path, length) {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    readSync(file, bytes, 0, length, 0);
    return { bytes, size: fstatSync(file).size };
  } finally {
    closeSync(file);
  }
}

/**
 * @param {unknown} error
 * @param {string} name of the platform package
 * @param {string} system
 */
function explained(error, name, system) {
  const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
  const cause = (String(message).split('\n', 1)[0] ?? '').replace(/\.$/, '');
  // Yarn Plug'n'Play reports a missing package with the second.
  const isMissing = code === 'MODULE_NOT_FOUND' || /package missing from disk/.test(cause);
  if (isMissing && String(message).includes(name)) {
    const others = installedBinaries();
    const reason =
      others.length > 0
        ? `${others.join(' and ')} is installed instead: node_modules is from a system of another kind. Install on the one that runs it`
        : 'It is an optional dependency. Install without --omit=optional. If the lock file or node_modules was made on another ' +
          'system, remove both first. If you bundle, leave clustershazbot external';
    const text = `the package ${name} with the binary for ${system} is not installed: ${cause}. ${reason}.`;
    return failure('SHAZBOT_BINARY_NOT_INSTALLED', text, error);
  }
  const text = `the binary in ${name} does not load on ${system}: ${cause}. ${remedy(cause, code)}`;
  return failure('SHAZBOT_BINARY_UNLOADABLE', text, error);
}

/** The packages with a binary that are installed. Only the published package names them in its manifest. */
function installedBinaries() {
  const { optionalDependencies = {} } = /** @type {any} */ (require('../package.json'));
  const { resolve } = createRequire(__filename);
  return Object.keys(optionalDependencies).filter((name) => {
    try {
      return resolve(name) !== '';
    } catch {
      return false;
    }
  });
}

/**
 * @param {string} cause
 * @param {string | undefined} code
 */
function remedy(cause, code) {
  if (code === 'ERR_DLOPEN_DISABLED') return 'Start Node without --no-addons. With --permission add --allow-addons.';
  if (code === 'ERR_ACCESS_DENIED') return 'Let Node read node_modules: --allow-fs-read with its folder.';
  if (/--allow-ffi/.test(cause)) return 'Start Deno with --allow-ffi.';
  if (/permission denied|not permitted|failed to map segment/i.test(cause))
    return 'This process may not load the file: check its permissions, and whether its file system is mounted with noexec.';
  if (/GLIBC_/.test(cause)) return 'It needs glibc 2.17 or newer: use a newer system or image.';
  if (/No such built-in module/.test(cause))
    return (
      'A single executable application cannot load packages that are not in it: put the .node file of this package beside the ' +
      'executable.'
    );
  if (/musl|ld-linux|Error relocating|Error loading shared library/.test(cause))
    return 'It is for another libc: node_modules was installed on a system with musl, such as Alpine, and runs on one with glibc, or the other way round. Install on the image that runs it.';
  if (/ELF|mach-o|architecture|Win32 application/i.test(cause))
    return 'It is for another operating system or processor: install on the system that runs it, not on the one that builds.';
  return (
    'The file is damaged or of another package: remove node_modules and install again. If you bundle, leave ' +
    'clustershazbot external.'
  );
}

/**
 * @param {string} code
 * @param {string} message
 * @param {unknown} [cause]
 */
function failure(code, message, cause) {
  return Object.assign(new Error(withLink(code, `clustershazbot: ${message}`), { cause }), { code });
}

/** @type {typeof import('./native')} */
const binary = load();

module.exports = { Engine: binary.Engine };
