'use strict';

const command = require('../shared/command.js');
const { table } = require('../shared/table.js');
const { build } = require('./build.js');
const { cleanUpAtExit, close } = require('./scope.js');

/**
 * A script that measures for so many seconds and prints what it found.
 *
 * @template T
 * @param {string} name
 * @param {string} help
 * @param {(seconds: number) => Promise<T>} measure
 * @param {(found: T) => string[][]} summary a table of it
 */
function run(name, help, measure, summary) {
  return command.run({ name, help, options: { json: { type: 'boolean' }, seconds: { type: 'string' } } }, read, main);

  /** @param {ReturnType<typeof read>} given */
  async function main({ json, seconds }) {
    cleanUpAtExit();
    build();
    try {
      const found = await measure(seconds);
      console.log(json ? JSON.stringify(found, undefined, 2) : table(summary(found)));
    } finally {
      await close();
    }
  }
}

/** @param {{ json?: boolean, seconds?: string }} values */
function read({ json = false, seconds = '60' }) {
  if (!(Number(seconds) >= 1)) throw new Error('--seconds takes a number');
  return { json, seconds: Number(seconds) };
}

module.exports = { run };
