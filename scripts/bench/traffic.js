'use strict';

// Measures what an exchange between two Express servers costs, by the number of offline servers that they know.

const { setTimeout: sleep } = require('node:timers/promises');

const { bytes, mean, startPair } = require('../../harness/pair.js');
const { scope } = require('./scope.js');
const { timed } = require('./timed.js');
const { used } = require('./usage.js');

const HELP = `npm run bench -- traffic [--json --seconds N]

Runs pairs of Express servers that gossip every second and know 0 to 10 000 offline servers, all pairs at once, and
measures what answering an exchange costs a server:
  bytes         of the bodies of request and answer
  event loop    how long the event loop was busy, Express included; other programs on the same core add to it
  processor     CPU time of the main thread, on Linux; other programs do not add to it
Each value is also given relative to the pair that knows no other server. Servers that left are only remembered. A server
tries one failed server a second, and logs each attempt that fails.

Exit code: 1 if an exchange is refused, or if bytes or processor time depend on the number of servers that left: their
ratio is then outside 0.8 to 1.2 and marked with "!".

  --json       print the results in bytes and ms
  --seconds N  how long to measure, default: 60
  --help       show this text
`;

/** How far a cost may be from that of no other server, as a share, and still count as equal. */
const TOLERANCE = 0.2;

/** @type {[count: number, why: import('../../harness/pair.js').Why][]} */
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
async function measurePair({ servers, count, why }, seconds) {
  const ask = (/** @type {string} */ order) => Promise.all(servers.map((server) => server.order(order)));
  await ask('exchanges');
  const before = await ask('usage');
  await sleep(seconds * 1000);
  const after = await ask('usage');
  const exchanges = (await ask('exchanges')).flat();
  const refused = exchanges.find(({ status }) => status !== 200);
  if (refused)
    throw new Error(`a server that knows ${count} others answered an exchange with status ${refused.status}`);
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

/** @typedef {Awaited<ReturnType<typeof measurePair>>} Row */

/**
 * Whether a cost depends on the number of servers that left. `busy` is not judged: other programs add to it.
 *
 * @param {Row} row
 * @param {'bytes' | 'busy' | 'ran'} what
 * @param {Row} none
 */
const isOff = (row, what, none) =>
  row.known.endsWith('left') && what !== 'busy' && Math.abs(row[what] / none[what] - 1) > TOLERANCE;

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
async function measure(seconds) {
  const pairs = await Promise.all(KNOWN.map(([count, why]) => startPair(scope, count, why)));
  await Promise.all(pairs.map((pair) => pair.rest()));
  const rows = await Promise.all(pairs.map((pair) => measurePair(pair, seconds)));
  const [none] = rows;
  if (rows.some((row) => isOff(row, 'bytes', none) || isOff(row, 'ran', none))) process.exitCode = 1;
  return rows;
}

module.exports = { command: timed('traffic', HELP, measure, summary), summary };
