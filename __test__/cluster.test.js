'use strict';

// Servers find each other, leave, fail and come back.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { SECRET, untilGossiped, agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { message } = require('../harness/gossip.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/** @typedef {import('node:test').TestContext} TestContext */

/** @type {Record<string, (t: TestContext) => Promise<Record<string, string>>>} */
const masterLists = {
  'a file': async () => fileList().env,
  'an HTTP store': async (t) => (await startStore(t)).env,
};

describe('a cluster of five servers', { concurrency: true }, () => {
  for (const [kind, masterList] of Object.entries(masterLists)) {
    test(`with ${kind} as master list, five servers find each other, and all list one offline while it is down`, async (t) => {
      const servers = await startServers(t, 5, { env: await masterList(t) });
      await agree(servers, { online: servers }, { what: 'all five servers list each other' });
      await untilGossiped(servers);

      const [victim, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
      await victim.kill();
      await agree(others, { online: others, offline: [victim] }, { what: 'the killed server is offline everywhere' });

      await victim.restart();
      await agree(servers, { online: servers }, { what: 'the server that came back is online everywhere' });
    });
  }
});

test('a single server is online in its own list', async (t) => {
  const server = await startServer(t, { env: fileList().env });
  assert.deepEqual(await server.view(), { online: [server.baseUrl], offline: [] });
});

test('a server that leaves and starts again in the same process is listed offline, then online', async (t) => {
  const servers = await startServers(t, 3, { env: fileList().env });
  await agree(servers, { online: servers });
  const [one, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);

  for (const _ of ['first', 'second']) {
    await one.order('shutDown');
    await agree(others, { online: others, offline: [one] }, { what: 'the server that left is offline' });
    await one.order('start');
    await agree(servers, { online: servers }, { what: 'the server that started again is online' });
  }
});

test('shazbotStart on a running engine resolves and changes nothing', async (t) => {
  const servers = await startServers(t, 2, { env: fileList().env });
  await agree(servers, { online: servers });
  await Promise.all([servers[0]?.order('start'), servers[0]?.order('start')]);
  assert.deepEqual(await servers[0]?.view(), await servers[1]?.view());
});

test('on SIGTERM during a gossip round the server leaves, and its process ends with code 0', async (t) => {
  const slow = await startFakePeer(t);
  const store = await startStore(t, { list: { online: [slow.entry()] } });
  const servers = await startServers(t, 3, { env: store.env });
  const [one, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
  await until(async () => (await one.view()).online.length === 4, { what: 'the server lists all four' });

  // From now on this peer never answers, so that a round of the server is under way when the signal comes.
  const open = new Set();
  slow.answer = ({ body }) => {
    for (const entry of body.online) if (Date.now() - entry.lastUpdate < 50) open.add(entry.baseUrl);
    return 'hang';
  };
  await until(() => open.has(one.baseUrl), { what: 'a gossip round of the server is under way' });

  const since = Date.now();
  assert.deepEqual(await one.terminate(), { code: 0, signal: null });
  assert.ok(Date.now() - since < 7_000, `the shutdown took ${Date.now() - since} ms`);
  for (const other of others) {
    await until(async () => (await other.view()).offline.includes(one.baseUrl), { what: 'the others list it offline' });
  }
});

test('an update that changes no list is still broadcast at once', async (t) => {
  const list = fileList();
  const rarely = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '3600', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '3600' };
  const engine = await startEngine(t, { ...list.env, ...rarely });
  const [next, other] = await Promise.all([startFakePeer(t), startFakePeer(t)]);
  // Greater than the lastUpdate in the answers of the fake peers, which answer like version 1.
  const first = Date.now() + 60_000;
  /** @param {number} incarnation */
  const receive = (incarnation) => {
    const online = [next, other].map((peer) => ({ ...peer.entry(), shazbot: `${incarnation}.1` }));
    return engine.shazbotGossipRequest(SECRET, message(online));
  };
  /** @param {number} incarnation */
  const broadcast = (incarnation) =>
    until(() => next.received.some(({ body }) => body.shazbot.includes(`>${other.baseUrl}>${incarnation}.1`)), {
      what: `incarnation ${incarnation} is broadcast`,
    });
  await receive(first);
  await broadcast(first);
  // After this nothing else wakes the engine for a minute.
  await until(() => list.servers().length === 3, { what: 'the master list names all three' });
  // Only the incarnation grows, as after a refutation of a death that this server has not heard of.
  await receive(first + 1);
  await broadcast(first + 1);
});
