'use strict';

// Makes the command of a benchmark that measures for a number of seconds and prints a table or JSON.

const { table } = require('../shared/text.js');
const { build } = require('./build.js');
const { cleanUpAtExit, close } = require('./scope.js');

/**
 * @template T
 * @param {string} name
 * @param {string} help
 * @param {(seconds: number) => Promise<T>} measure
 * @param {(results: T) => string[][]} summary the rows of the table
 * @returns {import('../shared/command.js').Command<{ json: boolean, seconds: number }>}
 */
function timed(name, help, measure, summary) {
  return {
    name: `bench -- ${name}`,
    help,
    options: { json: { type: 'boolean' }, seconds: { type: 'string' } },
    read({ json = false, seconds = '60' }) {
      if (!(Number(seconds) >= 1)) throw new Error('--seconds takes a number, 1 at least');
      return { json, seconds: Number(seconds) };
    },
    async main({ json, seconds }) {
      cleanUpAtExit();
      build();
      try {
        const results = await measure(seconds);
        console.log(json ? JSON.stringify(results, undefined, 2) : table(summary(results)));
      } finally {
        await close();
      }
    },
  };
}

module.exports = { timed };
