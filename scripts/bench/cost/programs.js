'use strict';

// Measures the CPU time of a request and the memory of an Express program.

const { CONTROL_SECRET, SECRET } = require('../../../harness/cluster.js');
const { until } = require('../../../harness/until.js');
const { start } = require('./children.js');
const { chunks, cluster, fullMessages, idleMessage, introductions, newer } = require('./servers.js');

/** Exchanges before the memory is measured. */
const EXCHANGES = 20;

/** @typedef {'nothing' | 'ours' | 'baseline'} Who */

/** @typedef {'ours' | 'full'} Kind of messages sent to it: protocol 2's, or whole lists of version 1 */

/** @param {Who} who @param {string} [others] the origin of the servers it gossips with, if any */
async function program(who, others) {
  const { ask, end, first } = await start('program', { who, others });
  const { origin } = /** @type {{ origin: string }} */ (first);
  /**
   * @param {string} path
   * @param {string} [body] of a POST
   */
  const request = async (path, body) => {
    const authorization = body === undefined ? CONTROL_SECRET : SECRET;
    const response = await fetch(`${origin}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body,
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return text;
  };
  return {
    origin,
    gossip: (/** @type {string} */ body) => request('self/clustershazbot/gossip', body),
    list: () => request('self/clustershazbot/list'),
    /** @returns {Promise<import('./meter.js').Time>} */
    time: () => ask('time'),
    /** @returns {Promise<number>} resident, bytes */
    memory: () => ask('memory'),
    end,
  };
}

/**
 * Makes a cluster known to a program.
 *
 * @param {Awaited<ReturnType<typeof program>>} program
 * @param {Who} who
 * @param {import('./servers.js').Cluster} servers
 */
async function introduce({ gossip }, who, servers) {
  const { online, offline, since } = servers;
  const bodies =
    who !== 'baseline'
      ? introductions(servers).map((message) => JSON.stringify(message))
      : [
          ...chunks(online).map((some) => ({ online: some, offline: [], since })),
          { online: [], offline, since },
        ].flatMap((some) => fullMessages(some)(1));
  for (const body of bodies) await gossip(body);
}

/**
 * The memory of a program that knows a cluster, has answered gossip, and was asked for its list. Among servers of protocol 2
 * it has also gossiped itself.
 *
 * @param {{ who: Who, kind: Kind, n: number, tags?: boolean }} options `nothing`: is sent the same and ignores it
 * @returns {Promise<number>} bytes
 */
async function memory({ who, kind, n, tags = false }) {
  const isOurs = kind === 'ours';
  const peer = isOurs && who === 'ours' ? await start('peer', { n, tags }) : undefined;
  const it = await program(who, peer?.first.origin);
  try {
    const servers = peer?.first.servers ?? cluster(it.origin, n, { ours: () => isOurs });
    await introduce(it, who, servers);
    const messages = isOurs ? newer(await idleMessage(it.gossip, servers), servers) : fullMessages(servers);
    for (const body of messages(EXCHANGES)) await it.gossip(body);
    if (peer) await until(async () => (await peer.ask({})).exchanges >= EXCHANGES, { what: 'it gossips with others' });
    await it.list();
    return await it.memory();
  } finally {
    it.end();
    peer?.end();
  }
}

/**
 * What a request costs, Express and HTTP included.
 *
 * @param {{ who: Who, kind: Kind, n: number }} options
 * @returns {Promise<import('./meter.js').Time>}
 */
async function request({ who, kind, n }) {
  const it = await program(who);
  try {
    const isOurs = kind === 'ours';
    const servers = cluster(it.origin, n, { ours: () => isOurs });
    await introduce(it, who, servers);
    const messages = isOurs ? newer(await idleMessage(it.gossip, servers), servers) : fullMessages(servers);
    const count = isOurs ? 200 : Math.min(200, Math.ceil(30_000 / n));
    // Until V8 has compiled the code.
    for (const body of messages(count)) await it.gossip(body);
    const bodies = messages(count);
    const before = await it.time();
    for (const body of bodies) await it.gossip(body);
    const after = await it.time();
    return { eventLoop: (after.eventLoop - before.eventLoop) / count, cpu: (after.cpu - before.cpu) / count };
  } finally {
    it.end();
  }
}

module.exports = { memory, request };
