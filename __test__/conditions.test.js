'use strict';

// Reads and writes of the master list: conditional requests, headers, and stores that fail.

const assert = require('node:assert/strict');
const { mkdirSync } = require('node:fs');
const { describe, test } = require('node:test');
const { fileURLToPath } = require('node:url');

const { agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { fastClock } = require('./support/clock.js');
const { during } = require('./support/during.js');
const { unusedUrl } = require('../harness/fake-peer.js');
const { entry } = require('../harness/gossip.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

// A list has to fail for half a minute before the warning, and later tries are up to a minute apart.
const CLOCK = { ...fastClock(5), SHAZBOT_GOSSIP_INTERVAL: '1.5' };
/** The next regular announcement comes after the end of the test. */
const NO_ANNOUNCE = { ...CLOCK, SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '86400', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '1' };
const FAST = { ...CLOCK, SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '1.5', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '0.5' };

test('a list in a file that can be read but not written causes a warning', async (t) => {
  const list = fileList();
  // Not by permissions: root may write everywhere.
  mkdirSync(fileURLToPath(`${list.env.SHAZBOT_MASTER_LIST}.lock`));
  const server = await startServer(t, { env: { ...list.env, ...FAST } });
  const warning = () => server.warnings.find(({ code }) => code === 'SHAZBOT_LIST_UNUSABLE');
  const { message } = await until(warning, { timeout: 60_000, what: 'the warning' });
  assert.match(message, /cannot be written: .*\.lock: Is a directory/);
});

describe('a master list over HTTP', { concurrency: true }, () => {
  describe('a store with conditional requests', { concurrency: true }, () => {
    for (const tags of /** @type {const} */ (['strong', 'generation'])) {
      test(`servers that write at the same time do not overwrite each other, with ${tags} version tags`, async (t) => {
        const store = await startStore(t, { tags });
        const servers = await startServers(t, 6, { env: { ...store.env, ...NO_ANNOUNCE } });
        const expected = servers.map(({ baseUrl }) => baseUrl).sort();
        await until(() => store.servers().join() === expected.join(), { what: 'all servers are in the list' });
        const writes = store.calls.filter(({ method }) => method === 'PUT');
        const [first, ...others] = writes;
        assert.equal(first?.headers['if-none-match'], '*', 'the first write expects that there is no list');
        const condition = tags === 'strong' ? 'if-match' : 'x-goog-if-generation-match';
        for (const { headers } of others)
          assert.ok(headers[condition] ?? headers['if-none-match'], 'every write has a condition');
      });
    }

    test('a correct list is neither sent nor written again', async (t) => {
      const store = await startStore(t, { tags: 'strong' });
      const servers = await startServers(t, 3, { env: { ...store.env, ...FAST } });
      await agree(servers, { online: servers });
      await until(() => store.servers().length === 3, { what: 'all servers are in the list' });
      // Each server reads the list once more to see that it is correct.
      const isUnchanged = () => store.calls.slice(-6).every(({ status }) => status === 304);
      await until(isUnchanged, { what: 'the store answers with 304' });
      const [reads, writes] = [store.count('GET'), store.count('PUT')];
      await during(2_000, () => assert.equal(store.count('PUT'), writes));
      assert.ok(store.count('GET') > reads + 6);
      await servers[2]?.terminate();
      await until(() => store.servers().length === 2, { what: 'the server that left is removed from the list' });
    });
  });

  describe('a store without conditional requests, or with peculiarities', { concurrency: true }, () => {
    test('with weak ETags the list is written without a condition, and in the end names all servers', async (t) => {
      const store = await startStore(t, { tags: 'weak', list: { online: [] } });
      const servers = await startServers(t, 4, { env: { ...store.env, ...NO_ANNOUNCE } });
      await until(() => store.servers().length === 4, { what: 'all servers are in the list' });
      for (const { method, headers } of store.calls) {
        if (method === 'PUT') assert.equal(headers['if-match'], undefined);
      }
      assert.deepEqual(store.servers(), servers.map(({ baseUrl }) => baseUrl).sort());
    });

    test('a server that another writer removed from the list announces itself again within seconds', async (t) => {
      const store = await startStore(t);
      const server = await startServer(t, { env: { ...store.env, ...NO_ANNOUNCE } });
      await until(() => store.servers().includes(server.baseUrl), { what: 'the server is in the list' });
      store.list = { online: [] };
      await until(() => store.servers().includes(server.baseUrl), {
        timeout: 10_000,
        what: 'the server is in the list again',
      });
    });

    test('a store whose ETags a proxy changes is written to without a condition after three tries', async (t) => {
      const store = await startStore(t, { tags: 'changed', list: { online: [] } });
      const server = await startServer(t, { env: { ...store.env, ...NO_ANNOUNCE } });
      await until(() => store.servers().includes(server.baseUrl), { what: 'the server is in the list' });
      assert.equal(store.calls.filter(({ status }) => status === 412).length, 3);
    });

    test('a store that answers conditional writes with 501 is written to without a condition', async (t) => {
      const store = await startStore(t, { tags: 'unknown', list: { online: [] } });
      const server = await startServer(t, { env: { ...store.env, ...FAST } });
      await until(() => store.servers().includes(server.baseUrl), { what: 'the server is in the list' });
      await server.drain();
      await until(() => store.servers().length === 0, { what: 'the drained server is removed from the list' });
      assert.equal(
        store.calls.filter(({ status }) => status === 501).length,
        1,
        'the server tries a condition only once',
      );
    });

    test('a list that exists but is answered with 404 is not overwritten', async (t) => {
      const other = entry(await unusedUrl());
      const store = await startStore(t, { tags: 'strong', list: { online: [other] } });
      // As from a proxy that has cached the 404.
      store.faults.GET = '404';
      const server = await startServer(t, { env: { ...store.env, ...FAST } });
      const said = () => server.warnings.filter(({ code }) => code === 'SHAZBOT_LIST_UNUSABLE');
      await until(() => said().length > 0, { timeout: 60_000, what: 'it is said' });
      assert.match(said()[0]?.message ?? '', /does not exist when it is read/);
      assert.deepEqual(store.servers(), [other.baseUrl]);
      store.faults = {};
      await until(() => store.servers().length === 2, { timeout: 70_000, what: 'both servers are in the list' });
    });

    test('writes that never appear in the list cause a warning, and are limited', async (t) => {
      const [store, another] = [await startStore(t), await startStore(t, { list: { online: [] } })];
      const env = { ...store.env, SHAZBOT_MASTER_LIST: another.url };
      const server = await startServer(t, { env: { ...env, ...NO_ANNOUNCE } });
      const warning = () => server.warnings.find(({ code }) => code === 'SHAZBOT_LIST_UNUSABLE');
      const { message } = await until(warning, { timeout: 90_000, what: 'the warning' });
      assert.match(message, /does not have what is written to it/);
      assert.ok(store.count('PUT') < 20, `${store.count('PUT')} writes`);
    });

    test('reads and writes each send their own authorization, and writes the additional headers', async (t) => {
      const auth = 'Bearer to-write';
      const store = await startStore(t, { auth });
      const env = {
        ...store.env,
        ...NO_ANNOUNCE,
        SHAZBOT_MASTER_LIST_AUTH: 'Bearer to-read',
        SHAZBOT_MASTER_LIST_UPDATE_HEADERS: '{"x-ms-blob-type":"BlockBlob","Content-Type":"text/x-list"}',
      };
      const server = await startServer(t, { env });
      await until(() => store.servers().includes(server.baseUrl), { what: 'the server is in the list' });
      for (const { method, authorization, headers } of store.calls) {
        assert.equal(authorization, method === 'PUT' ? auth : 'Bearer to-read');
        assert.equal(headers['x-ms-blob-type'], method === 'PUT' ? 'BlockBlob' : undefined);
        assert.equal(headers['content-type'], method === 'PUT' ? 'text/x-list' : undefined);
      }
    });

    test('a compressed list is read', async (t) => {
      const store = await startStore(t, { gzip: true, tags: 'strong' });
      const servers = await startServers(t, 2, { env: { ...store.env, ...NO_ANNOUNCE } });
      await agree(servers, { online: servers });
      await until(() => store.servers().length === 2, { what: 'both servers are in the list' });
    });
  });

  describe('a store that stops answering with the list', { concurrency: true }, () => {
    for (const [fault, answer] of /** @type {const} */ ([
      ['500', 'a status of 500'],
      ['html', 'an HTML page'],
      ['half', 'half of a list'],
      ['huge', '200 MiB'],
      ['hang', 'nothing'],
    ])) {
      test(`is not written to, and causes one warning: it answers with ${answer}`, { timeout: 120_000 }, async (t) => {
        const store = await startStore(t, { tags: 'strong' });
        const server = await startServer(t, { env: { ...store.env, ...FAST } });
        await until(() => store.servers().includes(server.baseUrl), { what: 'the server is in the list' });
        store.list.online.push(entry(await unusedUrl()));
        const list = store.servers();
        store.faults.GET = fault;
        const writes = store.count('PUT');
        const said = () => server.warnings.filter(({ code }) => code === 'SHAZBOT_LIST_UNUSABLE').length;
        await until(said, { timeout: 80_000, what: 'the warning' });
        if (fault === 'html') assert.match(server.warnings[0]?.message ?? '', /It begins with "<html>/);
        await during(2_000, () => {
          assert.deepEqual(store.servers(), list);
          assert.ok(store.count('PUT') <= writes + 1, 'except for one that was under way');
          assert.equal(said(), 1);
        });
        assert.deepEqual(await server.view(), { online: [server.baseUrl], offline: [] });
        store.faults = {};
        await server.drain();
        const isOut = () => !store.servers().includes(server.baseUrl);
        await until(isOut, { timeout: 30_000, what: 'the list is written again' });
      });
    }
  });
});
