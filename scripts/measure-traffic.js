'use strict';

// What an exchange between two real Express servers costs, by the number of offline servers that they know.

const { setTimeout: sleep } = require('node:timers/promises');

const { bytes, mean, startPair } = require('../__test__/support/pair.js');
const { run } = require('./measure/run.js');
const { scope } = require('./measure/scope.js');
const { used } = require('./measure/usage.js');

const HELP = `npm run measure:traffic [-- --json --seconds N]

Runs pairs of Express servers that gossip every second and know 0 to 10 000 others that are offline, all pairs at once,
and measures what answering an exchange costs a server:
  bytes         of the bodies of request and answer
  event loop    how long the event loop was busy, Express included, with whatever took its core meanwhile
  processor     how long its thread ran: what other programs do is not in it; on Linux
each as it is and relative to that with no other server. Those that left are only remembered; the dead are tried,
one a second and server, and each try that fails is a log record too.

Exit code: 1 when an exchange is refused, or when bytes or processor depend on the number of those that left: their
ratio is not 0.8 to 1.2, and is marked with "!".

  --json       print the figures in bytes and ms
  --seconds N  how long is measured, instead of 60
  --help       show this
`;

/** By how much what does not depend on the number of others may differ. */
const ALIKE = 0.2;

/** @type {[count: number, why: import('../__test__/support/pair.js').Why][]} */
const KNOWN = [
  [0, 'left'],
  [100, 'left'],
  [1_000, 'left'],
  [10_000, 'left'],
  [100, 'dead'],
  [1_000, 'dead'],
  [10_000, 'dead'],
];

/**
 * @param {Awaited<ReturnType<typeof startPair>>} pair at rest
 * @param {number} seconds
 */
async function measure({ servers, count, why }, seconds) {
  const ask = (/** @type {string} */ order) => Promise.all(servers.map((server) => server.order(order)));
  await ask('exchanges');
  const before = await ask('usage');
  await sleep(seconds * 1000);
  const after = await ask('usage');
  const exchanges = (await ask('exchanges')).flat();
  const refused = exchanges.find(({ status }) => status !== 200);
  if (refused) throw new Error(`an exchange among ${count} others was answered with ${refused.status}`);
  const spent = before.map((usage, n) => used(usage, after[n]));
  const each = (/** @type {number[]} */ ms) => (mean(ms) * ms.length) / exchanges.length;
  return {
    known: count === 0 ? 'none' : `${count} ${why}`,
    exchanges: exchanges.length,
    bytes: mean(exchanges.map(bytes)),
    busy: each(spent.map(({ busy }) => busy)),
    ran: each(spent.map(({ ran }) => ran)),
  };
}

/** @typedef {Awaited<ReturnType<typeof measure>>} Row */

/**
 * Whether a cost is not what it is with no other server, but has to be. The event loop's has other programs in it.
 *
 * @param {Row} row
 * @param {'bytes' | 'busy' | 'ran'} what
 * @param {Row} none
 */
const isOff = (row, what, none) =>
  row.known.endsWith('left') && what !== 'busy' && Math.abs(row[what] / none[what] - 1) > ALIKE;

/** @param {Row[]} rows @returns {string[][]} for a table */
function summary(rows) {
  const [none] = rows;
  return [
    ['others', 'exchanges', 'bytes', '', 'event loop', '', 'processor', ''],
    ...rows.map((row) => {
      const ratio = (/** @type {'bytes' | 'busy' | 'ran'} */ what) =>
        `× ${(row[what] / none[what]).toFixed(2)}${isOff(row, what, none) ? ' !' : ''}`;
      const ms = (/** @type {'busy' | 'ran'} */ what) => `${row[what].toFixed(2)} ms`;
      const { known, exchanges, bytes } = row;
      const cells = [known, String(exchanges), bytes.toFixed(0), ratio('bytes')];
      return [...cells, ms('busy'), ratio('busy'), ms('ran'), ratio('ran')];
    }),
  ];
}

/** @param {number} seconds */
async function main(seconds) {
  const pairs = await Promise.all(KNOWN.map(([count, why]) => startPair(scope, count, why)));
  await Promise.all(pairs.map((pair) => pair.rest()));
  const rows = await Promise.all(pairs.map((pair) => measure(pair, seconds)));
  const [none] = rows;
  if (rows.some((row) => isOff(row, 'bytes', none) || isOff(row, 'ran', none))) process.exitCode = 1;
  return rows;
}

if (require.main === module) run('measure:traffic', HELP, main, summary);

module.exports = { summary };
