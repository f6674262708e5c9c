'use strict';

const { parseArgs } = require('node:util');

/** @typedef {{ name: string, help: string, options: import('node:util').ParseArgsConfig['options'] }} Command */

/**
 * Runs a script of package.json: with `--help`, and with one line on what is wrong where its options are not understood.
 *
 * @template T
 * @param {Command} command its options besides `--help`
 * @param {(values: any) => T} read makes of the options what `main` takes; what it throws is said
 * @param {(given: T) => Promise<unknown>} main
 */
async function run({ name, help, options }, read, main) {
  let given;
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean' } } });
    if (values.help) return void process.stdout.write(help);
    given = read(values);
  } catch (error) {
    console.error(`${/** @type {Error} */ (error).message}\nsee npm run ${name} -- --help`);
    process.exit(2);
  }
  try {
    await main(given);
  } catch (error) {
    const { name: kind, message, syscall } = /** @type {NodeJS.ErrnoException} */ (error);
    // What did not come about, or a file that is not there, says all in its message; a defect of ours needs its stack.
    const isExpected = ['Error', 'SyntaxError'].includes(kind);
    console.error(isExpected ? message : error);
    process.exit(syscall || kind === 'SyntaxError' ? 2 : 1);
  }
}

/**
 * Shows on a terminal how far it is, in place of what was shown before.
 *
 * @param {string} text
 */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

module.exports = { progress, run };
