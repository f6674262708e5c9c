'use strict';

// Twelve servers with an interval of 2 s, of which one at a time is killed, leaves or hangs.

const { setTimeout: sleep } = require('node:timers/promises');

const { until } = require('../../../harness/until.js');
const { Cluster, LIMIT, draw } = require('./cluster.js');

const SERVERS = 12;
const INTERVAL = 2;

/** @typedef {import('./cluster.js').Server} Server */
/** @typedef {InstanceType<typeof Cluster>} RealCluster */

/**
 * @param {InstanceType<typeof import('./rows.js').Rows>} rows
 * @param {number} [repeat]
 */
async function twelve(rows, repeat = 9) {
  const cluster = new Cluster(INTERVAL);
  await cluster.fill(SERVERS);
  await untilGossiped(cluster);
  const { servers } = cluster;
  const kind = (/** @type {string} */ target) => ({ servers: SERVERS, interval: INTERVAL, target });
  await rows.measure('killed', kind('median ≤ 1.5 s'), repeat, (n) => {
    // Each server only once: one that has just restarted may not have their gossip yet.
    return ended(cluster, /** @type {Server} */ (servers[n % servers.length]), (victim) => victim.signal('SIGKILL'));
  });
  await rows.measure('left', kind('median ≤ 0.1 s'), repeat, () => left(cluster, draw(servers)));
  await rows.measure('hung', kind('median ≤ 10 s'), repeat, () => {
    const victim = draw(servers);
    return fault(
      cluster,
      victim,
      () => victim.signal('SIGSTOP'),
      () => victim.signal('SIGCONT'),
    );
  });
}

/**
 * Waits until the servers have exchanged enough: one that never answered before is not declared dead in its first minute
 * when it refuses a connection.
 *
 * @param {RealCluster} cluster
 */
async function untilGossiped({ servers }) {
  for (const server of servers) {
    await until(async () => (await server.order('gossips')) >= 2 * SERVERS, {
      timeout: LIMIT,
      every: 500,
      what: 'all servers have exchanged gossip',
    });
  }
}

/**
 * @param {RealCluster} cluster
 * @param {Server} victim
 * @param {(victim: Server) => unknown} end ends its process
 */
function ended(cluster, victim, end) {
  const undo = async () => {
    await victim.ended();
    cluster.forget(victim);
    await victim.restart();
  };
  return fault(cluster, victim, () => end(victim), undo);
}

/** @param {RealCluster} cluster @param {Server} victim */
function left(cluster, victim) {
  /** @type {Promise<unknown> | undefined} */
  let leaving;
  const act = () => {
    leaving = victim.order('shutDown');
  };
  const undo = async () => {
    await leaving;
    cluster.forget(victim);
    await victim.order('start');
  };
  return fault(cluster, victim, act, undo);
}

/**
 * Measures how long until all others list the victim offline.
 *
 * @param {RealCluster} cluster
 * @param {Server} victim
 * @param {() => unknown} act
 * @param {() => unknown} undo
 */
async function fault(cluster, victim, act, undo) {
  // At a random time within the interval.
  await sleep(Math.random() * INTERVAL * 1000);
  const since = Date.now();
  act();
  const ms = await cluster.rest(cluster.others(victim), [victim], false, since);
  await undo();
  await cluster.restored(victim);
  return ms;
}

module.exports = { ended, fault, left, twelve };
