'use strict';

// Measures on real Express processes how long it takes until every server knows of a change.

const { close } = require('../scope.js');
const { LIMIT } = require('./cluster.js');
const { hundred } = require('./hundred.js');
const { printRows } = require('./rows.js');
const { twelve } = require('./twelve.js');

const HELP = `npm run bench -- processes [--json --only 12|100 --repeat N]

Builds the addon, starts Express servers on this machine, each a process of its own, and measures how long it takes
until all know:
  12 servers, interval 2 s:    one killed, left, hung
  100 servers, interval 30 s:  one joins, leaves, is drained, is undrained, refutes a reported death,
                               changes its tags

  --json         print every time measured, in ms
  --only 12|100  one of the two clusters
  --repeat N     how often to measure each, default: 9 times with 12 servers, 20 times with 100
  --help         show this text

Takes minutes, 40 at most; 100 servers need 3 GB of memory. A time over ${LIMIT / 1000} s is shown as "> ${LIMIT / 1000} s".
Exit code: 0 if everything was measured, whether or not it meets the targets; 1 if a cluster did not come to rest;
2 if an option is not valid.
`;

/** @param {{ json: boolean, only?: string, repeat?: number }} options */
async function main({ json, only, repeat }) {
  await printRows(json, async (rows) => {
    for (const [name, measure] of Object.entries({ 12: twelve, 100: hundred })) {
      if (only === undefined || only === name) await measure(rows, repeat);
      await close();
    }
  });
}

/** @type {import('../../shared/command.js').Command<Parameters<typeof main>[0]>} */
const command = {
  name: 'bench -- processes',
  help: HELP,
  options: { json: { type: 'boolean' }, only: { type: 'string' }, repeat: { type: 'string' } },
  read({ json = false, only, repeat }) {
    if (only !== undefined && !['12', '100'].includes(only)) throw new Error('--only takes 12 or 100');
    if (repeat !== undefined && !(Number(repeat) >= 1)) throw new Error('--repeat takes a number, 1 at least');
    return { json, only, repeat: repeat === undefined ? undefined : Number(repeat) };
  },
  main,
};

module.exports = { command };
