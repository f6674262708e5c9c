'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { SECRET, acquainted, agree, fileList, startServer, startServers } = require('../harness/cluster.js');
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

describe('a cluster of five', { concurrency: true }, () => {
  for (const [kind, masterList] of Object.entries(masterLists)) {
    test(`five servers with ${kind} as master list find each other, lose one and get it back`, async (t) => {
      const servers = await startServers(t, 5, { env: await masterList(t) });
      await agree(servers, { online: servers }, { what: 'five servers know each other' });
      await acquainted(servers);

      const [victim, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
      await victim.kill();
      await agree(others, { online: others, offline: [victim] }, { what: 'the killed server is offline everywhere' });

      await victim.restart();
      await agree(servers, { online: servers }, { what: 'the server that came back is online everywhere' });
    });
  }
});

test('a server that is alone is online in its own list', async (t) => {
  const server = await startServer(t, { env: fileList().env });
  assert.deepEqual(await server.view(), { online: [server.baseUrl], offline: [] });
});

test('a server that leaves and starts again in the same process is listed offline, then online', async (t) => {
  const servers = await startServers(t, 3, { env: fileList().env });
  await agree(servers, { online: servers });
  const [one, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);

  for (const _ of ['once', 'and once more']) {
    await one.order('shutDown');
    await agree(others, { online: others, offline: [one] }, { what: 'the server that left is offline' });
    await one.order('start');
    await agree(servers, { online: servers }, { what: 'the server that started again is online' });
  }
});

test('a second start while running resolves and changes nothing', async (t) => {
  const servers = await startServers(t, 2, { env: fileList().env });
  await agree(servers, { online: servers });
  await Promise.all([servers[0]?.order('start'), servers[0]?.order('start')]);
  assert.deepEqual(await servers[0]?.view(), await servers[1]?.view());
});

test('SIGTERM in the middle of a round: the server leaves, and its process ends with code 0', async (t) => {
  const slow = await startFakePeer(t);
  const store = await startStore(t, { list: { online: [slow.entry()] } });
  const servers = await startServers(t, 3, { env: store.env });
  const [one, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
  await until(async () => (await one.view()).online.length === 4, { what: 'all are known' });

  // From now on each exchange with it stays open: one of them belongs to a round of the server that gets the signal.
  const open = new Set();
  slow.answer = ({ body }) => {
    for (const entry of body.online) if (Date.now() - entry.lastUpdate < 50) open.add(entry.baseUrl);
    return 'hang';
  };
  await until(() => open.has(one.baseUrl), { what: 'a round of the server is under way' });

  const since = Date.now();
  assert.deepEqual(await one.terminate(), { code: 0, signal: null });
  assert.ok(Date.now() - since < 7_000, `it took ${Date.now() - since} ms`);
  for (const other of others) {
    await until(async () => (await other.view()).offline.includes(one.baseUrl), { what: 'the others know' });
  }
});

test('news that changes no list is told on at once', async (t) => {
  const list = fileList();
  const rarely = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '3600', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '3600' };
  const engine = await startEngine(t, { ...list.env, ...rarely });
  const [next, other] = await Promise.all([startFakePeer(t), startFakePeer(t)]);
  // Above the stamps of their own answers, which are those of version 1.
  const first = Date.now() + 60_000;
  /** @param {number} incarnation */
  const hear = (incarnation) => {
    const online = [next, other].map((peer) => ({ ...peer.entry(), shazbot: `${incarnation}.1` }));
    return engine.shazbotGossipRequest(SECRET, message(online));
  };
  /** @param {number} incarnation */
  const told = (incarnation) =>
    until(() => next.received.some(({ body }) => body.shazbot.includes(`>${other.baseUrl}>${incarnation}.1`)), {
      what: `incarnation ${incarnation} is told on`,
    });
  await hear(first);
  await told(first);
  // After this nothing else wakes its engine for a minute.
  await until(() => list.servers().length === 3, { what: 'the list names all' });
  // Neither was called dead here: it is the answer to a death that others have heard of.
  await hear(first + 1);
  await told(first + 1);
});
