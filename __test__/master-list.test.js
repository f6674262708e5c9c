'use strict';

// How a server reads and writes a master list in a file or an HTTP store, also when the list is empty, broken or slow.

const assert = require('node:assert/strict');
const { readFileSync, writeFileSync } = require('node:fs');
const { describe, test } = require('node:test');

const { agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { unusedUrl, startFakePeer } = require('../harness/fake-peer.js');
const { entry } = require('../harness/gossip.js');
const { freePorts } = require('../harness/ports.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/** No regular announcement happens during the test. */
const NO_ANNOUNCE = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '86400', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '1' };
const FAST = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '0.5', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '0.5' };

/**
 * Starts a server and waits until it has written itself into `list`.
 *
 * @param {import('node:test').TestContext} t
 * @param {ReturnType<typeof fileList> | Awaited<ReturnType<typeof startStore>>} list
 * @param {Record<string, string>} [env]
 */
async function startAnnounced(t, list, env = NO_ANNOUNCE) {
  const server = await startServer(t, { env: { ...list.env, ...env } });
  await until(() => list.servers().includes(server.baseUrl), { what: 'the server is in the list' });
  return server;
}

describe('a server announces itself in a list without servers', { concurrency: true }, () => {
  for (const [name, list] of /** @type {[string, unknown][]} */ ([
    ['a URL that answers 404', undefined],
    ['a list of no servers', { online: [] }],
    ['an empty response body', ''],
  ])) {
    test(name, async (t) => {
      await startAnnounced(t, await startStore(t, { list }));
    });
  }

  test('a file that does not exist', async (t) => {
    await startAnnounced(t, fileList());
  });

  test('an empty file', async (t) => {
    const list = fileList();
    writeFileSync(list.file, '');
    await startAnnounced(t, list);
  });
});

describe('a malformed list is logged, does not change the server list and is not overwritten', {
  concurrency: true,
}, () => {
  for (const body of ['{"online":[', '{}', 'null', '[]', '{"online":{}}', '<html></html>']) {
    test(`in a file: ${body}`, async (t) => {
      const list = fileList();
      writeFileSync(list.file, body);
      const server = await startServer(t, { env: { ...list.env, ...FAST } });
      await until(() => server.logs.length > 0, { what: 'a log record' });
      await during(1_500, async () => {
        assert.equal(readFileSync(list.file, 'utf8'), body);
        assert.deepEqual(await server.view(), { online: [server.baseUrl], offline: [] });
      });
      assert.equal(server.exit, undefined);
    });
  }

  test('in an HTTP store', async (t) => {
    const store = await startStore(t, { list: { online: [] } });
    store.faults.GET = 'malformed';
    const server = await startServer(t, { env: { ...store.env, ...FAST } });
    await until(() => store.count('GET') >= 2, { what: 'the list was read twice' });
    await during(1_500, () => assert.equal(store.count('PUT'), 0));
    assert.deepEqual(await server.view(), { online: [server.baseUrl], offline: [] });
    assert.ok(server.logs.length > 0, 'a log record');
  });
});

describe('a list that cannot be read', { concurrency: true }, () => {
  test('does not fail the start, and is read again until the store is back', async (t) => {
    const [port] = await freePorts(1);
    const url = `http://127.0.0.1:${port}/servers.json`;
    const auth = 'Bearer the-update-secret';
    const env = { SHAZBOT_MASTER_LIST: url, SHAZBOT_MASTER_LIST_UPDATE: url, SHAZBOT_MASTER_LIST_UPDATE_AUTH: auth };
    const server = await startServer(t, { env: { ...env, ...NO_ANNOUNCE } });
    assert.deepEqual((await server.view()).online, [server.baseUrl]);
    const store = await startStore(t, { port, auth });
    await until(() => store.servers().includes(server.baseUrl), { timeout: 20_000, what: 'the server is in the list' });
  });

  test('is retried with backoff: at most 12 reads within the first 6 s of retries', async (t) => {
    const store = await startStore(t);
    store.faults.GET = '500';
    await startServer(t, { env: { ...store.env, ...NO_ANNOUNCE } });
    await until(() => store.count('GET') >= 3, { timeout: 20_000, what: 'the list is read again' });
    await during(6_000, () => assert.ok(store.count('GET') <= 12, `${store.count('GET')} reads`));
  });

  test('is not written', async (t) => {
    const peer = await startFakePeer(t);
    const store = await startStore(t, { list: { online: [peer.entry(), entry(await unusedUrl())] } });
    await startAnnounced(t, store, FAST);
    for (const fault of /** @type {const} */ (['500', 'malformed'])) {
      store.faults.GET = fault;
      const reads = store.count('GET');
      const puts = store.count('PUT');
      await until(() => store.count('GET') >= reads + 2, { timeout: 15_000, what: `two reads fail with ${fault}` });
      // A write that follows a read from before the fault may still have been under way.
      assert.ok(store.count('PUT') <= puts + 1, `${store.count('PUT') - puts} writes after ${fault}`);
    }
  });
});

test('a server that is missing from the list announces itself within seconds', async (t) => {
  const peer = await startFakePeer(t);
  const store = await startStore(t, { list: { online: [peer.entry()] } });
  await startAnnounced(t, store, { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '300' });
  assert.ok(store.servers().includes(peer.baseUrl), 'the other server is still in the list');
});

test('only writes send the configured Authorization header, and the written list holds online servers only', async (t) => {
  const store = await startStore(t, { auth: 'Bearer something' });
  const servers = await startServers(t, 2, { env: { ...store.env, ...FAST } });
  await agree(servers, { online: servers });
  await servers[1]?.drain();
  await until(() => store.servers().join() === servers[0]?.baseUrl, { what: 'the drained server is not in the list' });
  for (const { method, authorization } of store.calls) {
    assert.equal(authorization, method === 'PUT' ? 'Bearer something' : undefined, method);
  }
  for (const { body } of store.calls.filter((call) => call.method === 'PUT')) {
    assert.ok(Array.isArray(body.online), 'it is a server list');
    assert.deepEqual(body.offline ?? [], []);
  }
});

test('an empty SHAZBOT_MASTER_LIST_UPDATE_AUTH means that no Authorization header is sent', async (t) => {
  const store = await startStore(t, { auth: '' });
  await startAnnounced(t, store);
  assert.ok(store.calls.every((call) => call.authorization === undefined));
});

describe('a shutdown removes the server from the list only if configured', { concurrency: true }, () => {
  for (const value of ['true', 'false']) {
    for (const kind of ['a file', 'an HTTP store']) {
      test(`SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN=${value} with ${kind}`, async (t) => {
        const list = kind === 'a file' ? fileList() : await startStore(t);
        const env = { ...NO_ANNOUNCE, SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN: value };
        const server = await startAnnounced(t, list, env);
        await server.terminate();
        assert.equal(list.servers().includes(server.baseUrl), value === 'false', `${list.servers()}`);
      });
    }
  }
});

test('a server announces itself in a store that takes a second for each answer', async (t) => {
  const store = await startStore(t);
  store.faults = { GET: 'slow', PUT: 'slow' };
  await startAnnounced(t, store);
});
