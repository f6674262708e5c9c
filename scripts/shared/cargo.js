'use strict';

// The cargo commands of the simulator, and the way scripts run a command to its end.

const { spawnSync } = require('node:child_process');
const { join } = require('node:path');

const ROOT = join(__dirname, '..', '..');

/** Options of `cargo run` and `cargo build` that select the simulator. */
const SIMULATOR = [
  ...['--quiet', '--profile', 'quick', '--package', 'clustershazbot-sim'],
  // Not the folder of `npm run build`: other features would compile the dependencies anew each time.
  ...['--target-dir', 'target/test'],
];

/**
 * Runs a command in the root folder of the repository, connected to this terminal.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {number} its exit code
 */
function execute(command, args, env = process.env) {
  const { status, signal, error } = spawnSync(command, args, { cwd: ROOT, env, stdio: 'inherit' });
  if (error) console.error(`${command}: ${error.message}`);
  else if (signal) console.error(`${command} ended with ${signal}`);
  return status ?? 1;
}

module.exports = { ROOT, SIMULATOR, execute };
