'use strict';

// Parses the options of a script, prints its help and its errors, and shows its progress.

const { parseArgs } = require('node:util');

/**
 * @template T
 * @typedef {object} Command
 * @property {string} name what to type after `npm run`, before the options
 * @property {string} help
 * @property {import('node:util').ParseArgsConfig['options']} options all but `--help`
 * @property {(values: any) => T} read turns the options into what `main` takes; throws if an option is not valid
 * @property {(given: T) => Promise<unknown>} main
 */

/**
 * Exits with 2 if an option is not valid or a file cannot be read, with 1 if `main` fails otherwise.
 *
 * @template T
 * @param {Command<T>} command
 * @param {string[]} [args]
 */
async function run({ name, help, options, read, main }, args = process.argv.slice(2)) {
  let given;
  try {
    const { values } = parseArgs({ args, options: { ...options, help: { type: 'boolean' } } });
    if (values.help) return void process.stdout.write(help);
    given = read(values);
  } catch (error) {
    console.error(`${/** @type {Error} */ (error).message}\nsee npm run ${name} --help`);
    process.exit(2);
  }
  try {
    await main(given);
  } catch (error) {
    const { name: kind, message, syscall } = /** @type {NodeJS.ErrnoException} */ (error);
    // The message explains an expected failure; only a bug in the script needs its stack.
    const isExpected = ['Error', 'SyntaxError'].includes(kind);
    console.error(isExpected ? message : error);
    process.exit(syscall || kind === 'SyntaxError' ? 2 : 1);
  }
}

/**
 * Replaces the progress line on a terminal.
 *
 * @param {string} text
 */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

module.exports = { progress, run };
