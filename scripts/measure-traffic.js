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

  --json       print the figures in bytes and ms
  --seconds N  how long is measured, instead of 60
  --help       show this
`;

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

/** @param {Row[]} rows @returns {string[][]} for a table */
function summary(rows) {
  const [none] = rows;
  return [
    ['others', 'exchanges', 'bytes', '', 'event loop', '', 'processor', ''],
    ...rows.map((row) => {
      const ratio = (/** @type {'bytes' | 'busy' | 'ran'} */ what) => `× ${(row[what] / none[what]).toFixed(2)}`;
      const ms = (/** @type {'busy' | 'ran'} */ what) => `${row[what].toFixed(2)} ms`;
      const { known, exchanges, bytes } = row;
      const cells = [known, String(exchanges), bytes.toFixed(0), ratio('bytes')];
      return [...cells, ms('busy'), ratio('busy'), ms('ran'), ratio('ran')];
    }),
  ];
}

run(
  'measure:traffic',
  HELP,
  async (seconds) => {
    const pairs = await Promise.all(KNOWN.map(([count, why]) => startPair(scope, count, why)));
    await Promise.all(pairs.map((pair) => pair.rest()));
    return Promise.all(pairs.map((pair) => measure(pair, seconds)));
  },
  summary,
);
