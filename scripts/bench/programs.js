'use strict';

// What the Express program around the functions costs, and how much memory it has.

const http = require('node:http');

const { CONTROL_SECRET, SECRET } = require('../../__test__/support/cluster.js');
const { until } = require('../../__test__/support/until.js');
const { start } = require('./children.js');
const { chunks, cluster, fullMessages, idleMessage, introductions, newer } = require('./servers.js');

/** Of each program whose memory is measured. */
const EXCHANGES = 20;

/** @typedef {'nothing' | 'ours' | 'baseline'} Who */

/** @typedef {'ours' | 'full'} Kind of the messages that it is sent */

/** @param {Who} who @param {string} [others] where those are that it gossips with, if it does */
async function program(who, others) {
  const { ask, end, first } = await start('program', { who, others });
  const { origin } = /** @type {{ origin: string }} */ (first);
  const agent = new http.Agent({ keepAlive: true });
  /**
   * @param {string} path
   * @param {string} [body] of a POST
   * @returns {Promise<string>}
   */
  const request = (path, body) =>
    new Promise((resolve, reject) => {
      const authorization = body === undefined ? CONTROL_SECRET : SECRET;
      const sent = http.request(`${origin}${path}`, {
        agent,
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'content-type': 'application/json', authorization },
      });
      sent.on('error', reject);
      sent.on('response', async (response) => {
        let text = '';
        for await (const chunk of response.setEncoding('utf8')) text += chunk;
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${path} answered ${response.statusCode}: ${text}`));
      });
      sent.end(body);
    });
  return {
    origin,
    request,
    gossip: (/** @type {string} */ body) => request('self/clustershazbot/gossip', body),
    list: () => request('self/clustershazbot/list'),
    /** @returns {Promise<import('./meter.js').Time>} */
    time: () => ask('time'),
    /** @returns {Promise<number>} resident, bytes */
    memory: () => ask('memory'),
    end() {
      agent.destroy();
      end();
    },
  };
}

/**
 * Lets a program know a cluster.
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
 * How much memory a program has that knows a cluster, has been gossiped with, and has been asked for its list. Among ours it
 * has gossiped with others too.
 *
 * @param {{ who: Who, kind: Kind, n: number }} options `nothing`: it is sent the same, and keeps none of it
 * @returns {Promise<number>} bytes
 */
async function memory({ who, kind, n }) {
  const isOurs = kind === 'ours';
  const peer = isOurs && who === 'ours' ? await start('peer', { n }) : undefined;
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
    // The first ones compile.
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
