'use strict';

// Child process that measures what it costs a server to gossip with servers in another process.

const diagnostics = require('node:diagnostics_channel');
const { setTimeout: sleep } = require('node:timers/promises');

const { CONTROL_SECRET, SECRET } = require('../../../harness/cluster.js');
const { startEngine } = require('../../../harness/engine.js');
const { median } = require('../../shared/statistics.js');
const { Baseline } = require('./baseline.js');
const { answer, scope, start } = require('./children.js');
const { threadTime } = require('./meter.js');
const { introduce } = require('./servers.js');

const SLICES = 5;

/** @typedef {import('./servers.js').Cluster} Cluster */

/** @param {{ who: 'ours' | 'nobody' | 'baseline', n: number, time: number }} options `time` to measure for, ms */
async function measure({ who, n, time }) {
  const { first, ask: peer } = await start('peer', { n });
  const { servers, origin } = /** @type {{ servers: Cluster, origin: string }} */ (first);
  const baseUrl = `${origin}self/`;
  const gossip = await (who === 'baseline' ? ofBaseline(baseUrl, servers) : ofEngine(baseUrl, servers, who === 'ours'));
  const before = await peer({});
  let calls = 0;
  // The engine calls into the event loop only to report something.
  diagnostics.subscribe('clustershazbot:log', () => {
    calls += 1;
  });
  globalThis.gc?.();
  const cpu = process.cpuUsage();
  /** @type {number[]} */
  const slices = [];
  // Slices, so that a run of the garbage collector disturbs one of them and the median leaves it out.
  for (let count = 0; count < SLICES; count++) {
    const eventLoop = threadTime();
    await gossip(time / SLICES);
    slices.push(threadTime() - eventLoop);
  }
  const { user, system } = process.cpuUsage(cpu);
  const after = await peer({});
  const [exchanges, bytes] = [after.exchanges - before.exchanges, after.bytes - before.bytes];
  return { exchanges, eventLoop: median(slices) * SLICES, cpu: user + system, bytes, calls };
}

/** @param {string} baseUrl @param {Cluster} servers @param {boolean} often false: no gossip for an hour */
async function ofEngine(baseUrl, servers, often) {
  const interval = often ? '0.1' : '3600';
  const written = new Promise((resolve) => {
    /** @param {unknown} record */
    const listener = (record) => {
      if (/** @type {{ code: string }} */ (record).code !== 'LIST_WRITTEN') return;
      diagnostics.unsubscribe('clustershazbot:log', listener);
      resolve(undefined);
    };
    diagnostics.subscribe('clustershazbot:log', listener);
  });
  const engine = await startEngine(scope, {
    SHAZBOT_BASE_URL: baseUrl,
    SHAZBOT_GOSSIP_INTERVAL: interval,
    SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '86400',
  });
  // The last record of a start says that the master list was written.
  await written;
  await introduce(engine.shazbotGossipRequest, servers);
  await sleep(1_000);
  return (/** @type {number} */ time) => sleep(time);
}

/** @param {string} baseUrl @param {Cluster} servers */
async function ofBaseline(baseUrl, servers) {
  const baseline = new Baseline({ baseUrl, secret: SECRET, controlSecret: CONTROL_SECRET });
  /** @param {import('./servers.js').Server} server @param {number} lastUpdate */
  const toEntry = ({ baseUrl }, lastUpdate) => ({ baseUrl, monitor: false, lastUpdate });
  baseline.merge({
    online: servers.online.map((server) => toEntry(server, servers.since)),
    offline: servers.offline.map((server) => toEntry(server, servers.since)),
  });
  const peers = servers.online.map((server) => server.baseUrl);
  let next = 0;
  const gossip = async (/** @type {number} */ time) => {
    for (const end = performance.now() + time; performance.now() < end; next++) {
      await baseline.gossip(/** @type {string} */ (peers[next % peers.length]));
    }
  };
  // Until V8 has compiled the code.
  await gossip(1_000);
  return gossip;
}

answer(measure);
