'use strict';

// What it costs a server to gossip with others, which are in another process.

const diagnostics = require('node:diagnostics_channel');
const { setTimeout: sleep } = require('node:timers/promises');

const { CONTROL_SECRET, SECRET } = require('../../__test__/support/cluster.js');
const { startEngine } = require('../../__test__/support/engine.js');
const { Baseline } = require('./baseline.js');
const { answer, scope, start } = require('./children.js');
const { median, threadTime } = require('./meter.js');
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
  // What the engine has to say is all that it calls the event loop for.
  diagnostics.subscribe('clustershazbot:log', () => {
    calls += 1;
  });
  globalThis.gc?.();
  const cpu = process.cpuUsage();
  /** @type {number[]} */
  const slices = [];
  // The garbage collector, which comes when it likes, disturbs one of them.
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

/** @param {string} baseUrl @param {Cluster} servers @param {boolean} often nobody is gossiped with for an hour otherwise */
async function ofEngine(baseUrl, servers, often) {
  const interval = often ? '0.1' : '3600';
  const written = new Promise((resolve) => {
    /** @param {unknown} record */
    const hear = (record) => {
      if (/** @type {{ code: string }} */ (record).code !== 'LIST_WRITTEN') return;
      diagnostics.unsubscribe('clustershazbot:log', hear);
      resolve(undefined);
    };
    diagnostics.subscribe('clustershazbot:log', hear);
  });
  const engine = await startEngine(scope, {
    SHAZBOT_BASE_URL: baseUrl,
    SHAZBOT_GOSSIP_INTERVAL: interval,
    SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '86400',
  });
  // That it has put itself into the master list is the last that a start has to say.
  await written;
  await introduce(engine.shazbotGossipRequest, servers);
  await sleep(1_000);
  return (/** @type {number} */ time) => sleep(time);
}

/** @param {string} baseUrl @param {Cluster} servers */
async function ofBaseline(baseUrl, servers) {
  const baseline = new Baseline({ baseUrl, secret: SECRET, controlSecret: CONTROL_SECRET });
  /** @param {import('./servers.js').Server} server @param {number} lastUpdate */
  const written = ({ baseUrl }, lastUpdate) => ({ baseUrl, monitor: false, lastUpdate });
  baseline.merge({
    online: servers.online.map((server) => written(server, servers.since)),
    offline: servers.offline.map((server) => written(server, servers.since)),
  });
  const peers = servers.online.map((server) => server.baseUrl);
  let next = 0;
  const gossip = async (/** @type {number} */ time) => {
    for (const end = performance.now() + time; performance.now() < end; next++) {
      await baseline.gossip(/** @type {string} */ (peers[next % peers.length]));
    }
  };
  // The first ones compile.
  await gossip(1_000);
  return gossip;
}

answer(measure);
