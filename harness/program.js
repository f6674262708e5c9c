'use strict';

// Starts a program and collects its output.

const { spawn } = require('node:child_process');

/**
 * A running program. `output`: standard output and standard error; `exit` resolves with the exit code or the signal.
 * @typedef {{ child: import('node:child_process').ChildProcess, output: string, exit: Promise<number | NodeJS.Signals> }} Program
 */

/**
 * @param {string} folder
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Program}
 */
function start(folder, command, args, env) {
  const child = spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const program = {
    child,
    output: '',
    exit: new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal))),
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      program.output += chunk;
    });
  }
  return program;
}

module.exports = { start };
