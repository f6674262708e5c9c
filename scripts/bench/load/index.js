'use strict';

// Measures how gossip delays a server's ordinary requests, beside a plain JavaScript server of version 1.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

const { fileList, startServer } = require('../../../harness/cluster.js');
const { unusedUrl } = require('../../../harness/fake-peer.js');
const { entry, tell } = require('../../../harness/gossip.js');
const { median, percentile } = require('../../shared/statistics.js');
const { scope } = require('../scope.js');
const { timed } = require('../timed.js');
const { used } = require('../usage.js');
const { idle, whole } = require('./gossips.js');
const { steadily } = require('./steadily.js');

const MEMBERS = 1_000;
/** Exchanges a second. */
const GOSSIPS = 50;
/** Ordinary requests a second. */
const REQUESTS = 400;
/** About how long each phase is measured before the next one, ms. Short turns spread other load on the machine over all. */
const TURN = 10_000;
const WARM_UP = 3_000;
const NONE = 'none';

const HELP = `npm run bench -- load [--json --seconds N]

Starts Express servers that know ${MEMBERS} others, sends each ${REQUESTS} ordinary requests a second, and measures how long those
take: without gossip, and with ${GOSSIPS} exchanges a second, each on its own connection.
  ours      the package: idle exchanges with servers of protocol 2, and whole lists of version 1 servers
  version 1 the same in plain JavaScript: arrays that hold what came in, and are handed out as they are
The servers take turns of ten seconds. p50, p99, the use of the event loop and the CPU time of its thread (on Linux) are
medians of the turns; max is over all turns. "an exchange" is the CPU time that one exchange adds. "late" is the p99 of
the delay between the time a request was due and the time it was sent, which the sender causes itself.

  --json       print the figures of each turn, in ms
  --seconds N  how long to measure each phase, default: 60. The whole takes five times as long
  --help       show this text
`;

/**
 * @typedef {object} Phase
 * @property {string} engine
 * @property {string} gossip
 * @property {Awaited<ReturnType<typeof startServer>>} server
 * @property {import('./gossips.js').Gossip} [send]
 * @property {Turn[]} turns
 */
/** @typedef {{ p50: number, p99: number, max: number, late: number, utilization: number, ran: number, exchanges: number, bytes: number }} Turn */

/** @returns {Promise<Phase[]>} */
async function prepare() {
  // No gossip rounds: they would find that the other servers do not exist.
  const env = {
    SHAZBOT_GOSSIP_INTERVAL: '3600',
    SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '3600',
    SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '3600',
  };
  const base = await unusedUrl();
  const legacy = Array.from({ length: MEMBERS }, (_, n) => entry(`${base}server-${n}/`));
  const modern = legacy.map((one) => ({ ...one, shazbot: `${one.lastUpdate}.1` }));
  const [among, mixed, v1] = await Promise.all([
    startServer(scope, { env: { ...env, ...fileList().env } }),
    startServer(scope, { env: { ...env, ...fileList().env } }),
    startServer(scope, { env: { TEST_ENGINE: path.join(__dirname, 'version-1.js') } }),
  ]);
  await tell(among.baseUrl, 'online', modern);
  await tell(mixed.baseUrl, 'online', legacy);
  await tell(v1.baseUrl, 'online', legacy);
  const [first] = modern;
  return [
    { engine: 'ours', gossip: NONE, server: among, turns: [] },
    { engine: 'ours', gossip: 'idle, ours', server: among, send: await idle(among.baseUrl, first), turns: [] },
    { engine: 'ours', gossip: 'whole lists', server: mixed, send: whole(mixed.baseUrl, legacy), turns: [] },
    { engine: 'version 1', gossip: NONE, server: v1, turns: [] },
    { engine: 'version 1', gossip: 'whole lists', server: v1, send: whole(v1.baseUrl, legacy), turns: [] },
  ];
}

/**
 * @param {import('node:child_process').ChildProcess} requests
 * @param {Phase} phase
 * @param {number} ms
 * @returns {Promise<Turn>}
 */
async function turn(requests, { server, send }, ms) {
  const before = await server.order('usage');
  requests.send({ url: `${server.baseUrl}ordinary`, rate: REQUESTS, ms });
  const [[sent], answers] = await Promise.all([once(requests, 'message'), send ? steadily(GOSSIPS, ms, send) : []]);
  const { utilization, ran } = used(before, await server.order('usage'));
  const [latencies, lateness] = /** @type {const} */ (['latency', 'late']).map((what) =>
    sent.map((/** @type {Record<'latency' | 'late', number>} */ one) => one[what]),
  );
  return {
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    max: percentile(latencies, 1),
    late: percentile(lateness, 0.99),
    utilization,
    ran: ran / ms,
    exchanges: answers.length,
    bytes: Math.max(0, ...answers),
  };
}

/** @param {number} seconds for each phase */
async function measure(seconds) {
  const phases = await prepare();
  const requests = fork(path.join(__dirname, 'requests.js'));
  scope.after(() => requests.kill());
  // The child has printed the error.
  requests.on('exit', (code) => code && process.exit(1));
  for (const phase of phases) await turn(requests, phase, WARM_UP);
  const rounds = Math.ceil((seconds * 1000) / TURN);
  for (let round = 0; round < rounds; round++) {
    for (const phase of phases) phase.turns.push(await turn(requests, phase, (seconds * 1000) / rounds));
  }
  return phases.map(({ engine, gossip, turns }) => ({ engine, gossip, turns }));
}

/** @typedef {Awaited<ReturnType<typeof measure>>[0]} Row */

/** @param {Row} row @param {keyof Turn} what */
const typical = ({ turns }, what) => median(turns.map((turn) => turn[what]));

/** @param {Row[]} rows @returns {string[][]} for a table */
function summary(rows) {
  const ms = (/** @type {number} */ number) => `${number.toFixed(2)} ms`;
  const percent = (/** @type {number} */ number) => `${(100 * number).toFixed(1)} %`;
  return [
    ['engine', 'gossip', 'answer', 'p50', 'p99', 'max', 'late', 'event loop', 'processor', 'an exchange'],
    ...rows.map((row) => {
      const bare = rows.find(({ engine, gossip }) => engine === row.engine && gossip === NONE) ?? row;
      const added = (1000 * (typical(row, 'ran') - typical(bare, 'ran'))) / GOSSIPS;
      return [
        row.engine,
        row.gossip,
        row === bare ? '–' : `${typical(row, 'bytes')} B`,
        ms(typical(row, 'p50')),
        ms(typical(row, 'p99')),
        ms(Math.max(...row.turns.map(({ max }) => max))),
        ms(typical(row, 'late')),
        percent(typical(row, 'utilization')),
        percent(typical(row, 'ran')),
        row === bare ? '–' : ms(added),
      ];
    }),
  ];
}

module.exports = { command: timed('load', HELP, measure, summary), summary };
