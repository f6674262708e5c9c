'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { acquainted, agree, fileList, startServer, startServers } = require('./support/cluster.js');
const { startFakePeer } = require('./support/fake-peer.js');
const { startStore } = require('./support/store.js');
const { until } = require('./support/until.js');

/** @typedef {import('node:test').TestContext} TestContext */

/** @type {Record<string, (t: TestContext) => Promise<Record<string, string>>>} */
const masterLists = {
  'a file': async (t) => fileList(t).env,
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
  const server = await startServer(t, { env: fileList(t).env });
  assert.deepEqual(await server.view(), { online: [server.baseUrl], offline: [] });
});

test('a server that leaves and starts again in the same process is listed offline, then online', async (t) => {
  const servers = await startServers(t, 3, { env: fileList(t).env });
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
  const servers = await startServers(t, 2, { env: fileList(t).env });
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
