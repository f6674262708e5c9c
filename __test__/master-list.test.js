'use strict';

const assert = require('node:assert/strict');
const { existsSync, readFileSync, writeFileSync } = require('node:fs');
const { describe, test } = require('node:test');

const { agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { nobody, startFakePeer } = require('../harness/fake-peer.js');
const { entry } = require('../harness/gossip.js');
const { freePorts } = require('../harness/ports.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/** The next regular announcement is out of the test's sight. */
const NO_ANNOUNCE = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '86400', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '1' };
const FAST = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '0.5', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '0.5' };

describe('a list that is there, but has nothing in it, is an empty list', { concurrency: true }, () => {
  /** @type {Record<string, unknown>} */
  const lists = {
    'none (404)': undefined,
    'no servers': { online: [] },
  };
  for (const [name, list] of Object.entries(lists)) {
    test(name, async (t) => {
      const store = await startStore(t, { list });
      const server = await startServer(t, { env: { ...store.env, ...NO_ANNOUNCE } });
      await until(() => store.servers().includes(server.baseUrl), { what: 'the server announced itself' });
    });
  }

  test('an empty body', async (t) => {
    const store = await startStore(t);
    store.list = '';
    const server = await startServer(t, { env: { ...store.env, ...NO_ANNOUNCE } });
    await until(() => store.servers().includes(server.baseUrl), { what: 'the server announced itself' });
  });

  test('a file that does not exist', async (t) => {
    const list = fileList();
    const server = await startServer(t, { env: { ...list.env, ...NO_ANNOUNCE } });
    await until(() => existsSync(list.file) && list.servers().includes(server.baseUrl), {
      what: 'it announced itself',
    });
  });

  test('an empty file', async (t) => {
    const list = fileList();
    writeFileSync(list.file, '');
    const server = await startServer(t, { env: { ...list.env, ...NO_ANNOUNCE } });
    await until(() => list.servers().includes(server.baseUrl), { what: 'it announced itself' });
  });
});

describe('a malformed list is logged, changes nothing and is not overwritten', { concurrency: true }, () => {
  for (const body of ['{"online":[', '{}', 'null', '[]', '{"online":{}}', '<html></html>']) {
    test(`as file: ${body}`, async (t) => {
      const list = fileList();
      writeFileSync(list.file, body);
      const server = await startServer(t, { env: { ...list.env, ...FAST } });
      await until(() => server.logs.length > 0, { what: 'it is logged' });
      await during(1_500, async () => {
        assert.equal(readFileSync(list.file, 'utf8'), body);
        assert.deepEqual(await server.view(), { online: [server.baseUrl], offline: [] });
      });
      assert.equal(server.exit, undefined);
    });
  }

  test('over HTTP', async (t) => {
    const store = await startStore(t, { list: { online: [] } });
    store.faults.GET = 'malformed';
    const server = await startServer(t, { env: { ...store.env, ...FAST } });
    await until(() => store.count('GET') >= 2, { what: 'it was read' });
    await during(1_500, () => assert.equal(store.count('PUT'), 0));
    assert.deepEqual(await server.view(), { online: [server.baseUrl], offline: [] });
    assert.ok(server.logs.length > 0, 'it is logged');
  });
});

describe('a list that cannot be read', { concurrency: true }, () => {
  test('is no error of the start, and is read again with growing pauses until it is there', async (t) => {
    const [port] = await freePorts(1);
    const url = `http://127.0.0.1:${port}/servers.json`;
    const auth = 'Bearer the-update-secret';
    const env = { SHAZBOT_MASTER_LIST: url, SHAZBOT_MASTER_LIST_UPDATE: url, SHAZBOT_MASTER_LIST_UPDATE_AUTH: auth };
    const server = await startServer(t, { env: { ...env, ...NO_ANNOUNCE } });
    assert.deepEqual((await server.view()).online, [server.baseUrl]);
    const store = await startStore(t, { port, auth });
    await until(() => store.servers().includes(server.baseUrl), { timeout: 20_000, what: 'the server is in the list' });
  });

  test('is not hammered', async (t) => {
    const store = await startStore(t);
    store.faults.GET = '500';
    await startServer(t, { env: { ...store.env, ...NO_ANNOUNCE } });
    await until(() => store.count('GET') >= 3, { timeout: 20_000, what: 'it is read again' });
    await during(6_000, () => undefined);
    assert.ok(store.count('GET') <= 12, `${store.count('GET')} reads`);
  });

  test('is never written', async (t) => {
    const peer = await startFakePeer(t);
    const store = await startStore(t, { list: { online: [peer.entry(), entry(await nobody())] } });
    const server = await startServer(t, { env: { ...store.env, ...FAST } });
    await until(() => store.servers().includes(server.baseUrl), { what: 'the server is in the list' });
    for (const fault of /** @type {const} */ (['500', 'malformed'])) {
      store.faults.GET = fault;
      const reads = store.count('GET');
      const puts = store.count('PUT');
      await until(() => store.count('GET') >= reads + 2, { timeout: 15_000, what: `a read is answered with ${fault}` });
      // A write that belongs to a read before the fault may have been on its way.
      assert.ok(store.count('PUT') <= puts + 1, `${store.count('PUT') - puts} writes after ${fault}`);
    }
  });
});

test('a server that finds itself missing from the list announces itself within seconds', async (t) => {
  const peer = await startFakePeer(t);
  const store = await startStore(t, { list: { online: [peer.entry()] } });
  const server = await startServer(t, { env: { ...store.env, SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '300' } });
  await until(() => store.servers().includes(server.baseUrl), { what: 'it announced itself' });
  assert.ok(store.servers().includes(peer.baseUrl), 'the other server is still in the list');
});

test('the list is written with the configured header and read without it; it holds online servers only', async (t) => {
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

test('an authorization that is set but empty means that none is sent', async (t) => {
  const store = await startStore(t, { auth: '' });
  const server = await startServer(t, { env: { ...store.env, ...NO_ANNOUNCE } });
  await until(() => store.servers().includes(server.baseUrl), { what: 'it announced itself' });
  assert.ok(store.calls.every((call) => call.authorization === undefined));
});

describe('a shutdown takes the server out of the list only where that is configured', { concurrency: true }, () => {
  for (const value of ['true', 'false']) {
    for (const kind of ['a file', 'an HTTP store']) {
      test(`${kind}, ${value}`, async (t) => {
        const list = kind === 'a file' ? fileList() : await startStore(t);
        const server = await startServer(t, {
          env: { ...list.env, ...NO_ANNOUNCE, SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN: value },
        });
        await until(() => list.servers().includes(server.baseUrl), { what: 'it announced itself' });
        await server.terminate();
        assert.equal(list.servers().includes(server.baseUrl), value === 'false', `${list.servers()}`);
      });
    }
  }
});

test('a slow store is waited for', async (t) => {
  const store = await startStore(t);
  store.faults = { GET: 'slow', PUT: 'slow' };
  const server = await startServer(t, { env: { ...store.env, ...NO_ANNOUNCE } });
  await until(() => store.servers().includes(server.baseUrl), { what: 'it announced itself' });
});
