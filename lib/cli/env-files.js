'use strict';

// Reads the files of --env-file, as `node --env-file` does, so that a command sees the variables that the program gets.

const { spawnSync } = require('node:child_process');
const { readFileSync } = require('node:fs');
const util = require('node:util');
const { CommandError } = require('./command-error.js');

/**
 * @param {string[]} files
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv} the environment wins over the files, and a later file over an earlier one
 */
function withEnvFiles(files, env) {
  if (files.length === 0) return env;
  // Node 20.0 to 20.11 cannot parse such a file.
  if (!util.parseEnv) throw new CommandError('--env-file needs Node 20.12 or newer', 2);
  return Object.assign({}, ...files.map(readEnvFile), env);
}

/** @param {string} file */
function readEnvFile(file) {
  try {
    return util.parseEnv(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new CommandError(`Cannot read --env-file ${file}: ${/** @type {Error} */ (error).message}`, 2);
  }
}

/**
 * Runs this command line again if Node must know a variable of the files when it starts: which certificates it trusts.
 * @param {NodeJS.ProcessEnv} env
 * @returns {number | undefined} the exit code of that; undefined if it was not needed
 */
function runAgainIfNeeded(env) {
  if (!env.NODE_EXTRA_CA_CERTS || env.NODE_EXTRA_CA_CERTS === process.env.NODE_EXTRA_CA_CERTS) return undefined;
  const args = [...process.execArgv, ...process.argv.slice(1)];
  return spawnSync(process.execPath, args, { env, stdio: 'inherit' }).status ?? 1;
}

module.exports = { runAgainIfNeeded, withEnvFiles };
