'use strict';

// A hundred servers with the default interval of 30 s, to which one joins and leaves, or of which one is drained and
// undrained, refutes a reported death, or changes its tags.

const { setTimeout: sleep } = require('node:timers/promises');

const { CONTROL_SECRET } = require('../../../harness/cluster.js');
const { gossip, listedEntry, message } = require('../../../harness/gossip.js');
const { freePorts } = require('../../../harness/ports.js');
const { Cluster, draw } = require('./cluster.js');

const SERVERS = 100;
const INTERVAL = 30;
/** Time after which a server may send a full burst of rumours again, ms: see PUSHES in the core. */
const REFILL = 4_000;

/** @typedef {import('./cluster.js').Server} Server */
/** @typedef {InstanceType<typeof Cluster>} RealCluster */

/**
 * @param {InstanceType<typeof import('./rows.js').Rows>} rows
 * @param {number} [repeat]
 */
async function hundred(rows, repeat = 20) {
  const cluster = new Cluster(INTERVAL);
  await cluster.fill(SERVERS);
  const kind = { servers: SERVERS, interval: INTERVAL, target: 'p99 ≤ 1 s' };
  /** @type {Server} */
  let server;
  const join = async () => {
    server = await launch(cluster);
    return joined(cluster, server);
  };
  await rows.measurePair(['joins', 'leaves'], kind, repeat, join, () => left(cluster, server));
  const drain = () => {
    server = draw(cluster.servers);
    return setOnline(cluster, server, false);
  };
  const undrain = () => setOnline(cluster, server, true);
  await rows.measurePair(['is drained', 'is undrained'], kind, repeat, drain, undrain);
  // Each server only once: others pass on an update of the same state only once an interval.
  await rows.measure('refutes its death', kind, repeat, (n) =>
    refuted(cluster, /** @type {Server} */ (cluster.servers[n % SERVERS])),
  );
  await rows.measure('changes its tags', kind, repeat, (n) => {
    const server = /** @type {Server} */ (cluster.servers[n % SERVERS]);
    const since = Date.now();
    server.order('call', 'shazbotSetTags', { role: 'api', version: `1.0.${n}` });
    return cluster.tagged(server, since);
  });
}

/** Launches a process without its engine: the start of Node is not measured. @param {RealCluster} cluster */
async function launch(cluster) {
  const [port] = await freePorts(1);
  return cluster.start(/** @type {number} */ (port), { TEST_START: 'no' });
}

/** @param {RealCluster} cluster @param {Server} guest */
async function joined(cluster, guest) {
  const since = Date.now();
  const start = guest.order('start');
  const listed = await cluster.rest(cluster.servers, [guest], true, since);
  const lists = await cluster.rest([guest], cluster.servers, true, since);
  await start;
  return listed === undefined || lists === undefined ? undefined : Math.max(listed, lists);
}

/** @param {RealCluster} cluster @param {Server} guest */
async function left(cluster, guest) {
  const since = Date.now();
  const leave = guest.order('shutDown');
  const ms = await cluster.rest(cluster.servers, [guest], false, since);
  await leave;
  await guest.kill();
  return ms;
}

/** @param {RealCluster} cluster @param {Server} server @param {boolean} online */
function setOnline(cluster, server, online) {
  const since = Date.now();
  server.order('call', 'shazbotControlRequest', CONTROL_SECRET, { message: 'control', online });
  return cluster.rest(cluster.others(server), [server], online, since);
}

/**
 * Tells one server, as another server of the cluster would, that a live server failed.
 *
 * @param {RealCluster} cluster
 * @param {Server} victim
 */
async function refuted(cluster, victim) {
  const others = cluster.others(victim);
  const told = draw(others);
  const author = draw(others.filter((server) => server !== told));
  // A death and its refutation are two rumours for each server.
  await sleep(REFILL);
  const [held, by] = await Promise.all([victim, author].map(({ baseUrl }) => listedEntry(told.baseUrl, baseUrl)));
  const since = Date.now();
  // In protocol 2's format: a death that version 1 reports is verified before it is listed.
  const own = `so${since}>${author.baseUrl}>${by?.online?.shazbot}`;
  const death = `ex${since}>${victim.baseUrl}>${held?.online?.shazbot}.f.${author.baseUrl}`;
  await gossip(told.baseUrl, { ...message(), shazbot: `2 ${own} ${death}` });
  return cluster.rest(others, [victim], true, since);
}

module.exports = { hundred };
