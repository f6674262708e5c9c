'use strict';

const { parseArgs } = require('node:util');

const { build } = require('./build.js');
const { cleanUpAtExit, close } = require('./scope.js');

/**
 * A script that measures for so many seconds and prints what it found: with `--seconds N`, `--json` and `--help`.
 *
 * @template T
 * @param {string} help
 * @param {(seconds: number) => Promise<T>} measure
 * @param {(found: T) => void} print for people
 */
async function run(help, measure, print) {
  const { json, seconds, help: asked } = options(help);
  if (asked) return process.stdout.write(help);
  cleanUpAtExit();
  try {
    build();
    const found = await measure(seconds);
    if (json) console.log(JSON.stringify(found, undefined, 2));
    else print(found);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await close();
  }
}

/** @param {string} help */
function options(help) {
  try {
    const { values } = parseArgs({
      options: { json: { type: 'boolean' }, seconds: { type: 'string' }, help: { type: 'boolean' } },
    });
    const seconds = Number(values.seconds ?? 60);
    if (!(seconds >= 1)) throw new Error('--seconds takes a number');
    return { ...values, seconds };
  } catch (error) {
    console.error(`${/** @type {Error} */ (error).message}\n\n${help}`);
    process.exit(2);
  }
}

module.exports = { run };
