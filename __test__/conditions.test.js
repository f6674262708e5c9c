'use strict';

// How the master list is read and written: on condition, with which headers, and never after a read that failed.

const assert = require('node:assert/strict');
const { mkdirSync } = require('node:fs');
const { describe, test } = require('node:test');
const { fileURLToPath } = require('node:url');

const { agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { nobody } = require('../harness/fake-peer.js');
const { entry } = require('../harness/gossip.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/** The next regular announcement is out of the test's sight. */
const NO_ANNOUNCE = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '86400', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '1' };
const FAST = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '0.3', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '0.1' };

test('a file that can be read and not written is said to be so', async (t) => {
  const list = fileList();
  // As where the folder belongs to somebody else, which keeps nothing from root.
  mkdirSync(fileURLToPath(`${list.env.SHAZBOT_MASTER_LIST}.lock`));
  const server = await startServer(t, { env: { ...list.env, ...FAST } });
  const said = () => server.warnings.find(({ code }) => code === 'SHAZBOT_LIST_UNUSABLE');
  const { message } = await until(said, { timeout: 60_000, what: 'it is said' });
  assert.match(message, /cannot be written: .*\.lock: Is a directory/);
});

// Some wait for half a minute: all at once.
describe('a master list over HTTP', { concurrency: true }, () => {
  describe('a store that can tell whether a list has changed', { concurrency: true }, () => {
    for (const tags of /** @type {const} */ (['strong', 'generation'])) {
      test(`${tags}: nothing is written over what somebody else has written meanwhile`, async (t) => {
        const store = await startStore(t, { tags });
        const servers = await startServers(t, 6, { env: { ...store.env, ...NO_ANNOUNCE } });
        const expected = servers.map(({ baseUrl }) => baseUrl).sort();
        await until(() => store.servers().join() === expected.join(), { what: 'all are in the list' });
        const writes = store.calls.filter(({ method }) => method === 'PUT');
        const [first, ...others] = writes;
        assert.equal(first?.headers['if-none-match'], '*', 'there was none before');
        const condition = tags === 'strong' ? 'if-match' : 'x-goog-if-generation-match';
        for (const { headers } of others)
          assert.ok(headers[condition] ?? headers['if-none-match'], 'each on condition');
      });
    }

    test('a list that is right is not sent again, and not written', async (t) => {
      const store = await startStore(t, { tags: 'strong' });
      const servers = await startServers(t, 3, { env: { ...store.env, ...FAST } });
      await agree(servers, { online: servers });
      await until(() => store.servers().length === 3, { what: 'all are in the list' });
      // Each reads it once more to see that.
      const settled = () => store.calls.slice(-6).every(({ status }) => status === 304);
      await until(settled, { what: 'it is not sent again' });
      const [reads, writes] = [store.count('GET'), store.count('PUT')];
      await during(2_000, () => assert.equal(store.count('PUT'), writes));
      assert.ok(store.count('GET') > reads + 6);
      await servers[2]?.terminate();
      await until(() => store.servers().length === 2, { what: 'one that leaves is out of the list' });
    });
  });

  describe('a store that cannot tell, or has its ways', { concurrency: true }, () => {
    test('weak tags tell nothing: the list is written without a condition, and read back', async (t) => {
      const store = await startStore(t, { tags: 'weak', list: { online: [] } });
      const servers = await startServers(t, 4, { env: { ...store.env, ...NO_ANNOUNCE } });
      await until(() => store.servers().length === 4, { what: 'all are in the list' });
      for (const { method, headers } of store.calls) {
        if (method === 'PUT') assert.equal(headers['if-match'], undefined);
      }
      assert.deepEqual(store.servers(), servers.map(({ baseUrl }) => baseUrl).sort());
    });

    test('what somebody else has written over ours is put right within seconds, where no store tells', async (t) => {
      const store = await startStore(t);
      const server = await startServer(t, { env: { ...store.env, ...NO_ANNOUNCE } });
      await until(() => store.servers().includes(server.baseUrl), { what: 'it announced itself' });
      store.list = { online: [] };
      await until(() => store.servers().includes(server.baseUrl), { timeout: 10_000, what: 'it is there again' });
    });

    test('a store whose tags are changed on the way is written to all the same', async (t) => {
      const store = await startStore(t, { tags: 'changed', list: { online: [] } });
      const server = await startServer(t, { env: { ...store.env, ...NO_ANNOUNCE } });
      await until(() => store.servers().includes(server.baseUrl), { what: 'it announced itself' });
      assert.equal(store.calls.filter(({ status }) => status === 412).length, 3);
    });

    test('a store that takes no conditions is written to without', async (t) => {
      const store = await startStore(t, { tags: 'unknown', list: { online: [] } });
      const server = await startServer(t, { env: { ...store.env, ...FAST } });
      await until(() => store.servers().includes(server.baseUrl), { what: 'it announced itself' });
      await server.drain();
      await until(() => store.servers().length === 0, { what: 'it is out of the list' });
      assert.equal(store.calls.filter(({ status }) => status === 501).length, 1, 'that is asked once');
    });

    test('a list that cannot be seen is not written over', async (t) => {
      const other = entry(await nobody());
      const store = await startStore(t, { tags: 'strong', list: { online: [other] } });
      // As a proxy that remembers what was not there.
      store.faults.GET = '404';
      const server = await startServer(t, { env: { ...store.env, ...FAST } });
      const said = () => server.warnings.filter(({ code }) => code === 'SHAZBOT_LIST_UNUSABLE');
      await until(() => said().length > 0, { timeout: 60_000, what: 'it is said' });
      assert.match(said()[0]?.message ?? '', /not there for whoever reads it/);
      assert.deepEqual(store.servers(), [other.baseUrl]);
      store.faults = {};
      await until(() => store.servers().length === 2, { timeout: 70_000, what: 'both are in the list' });
    });

    test('a list that never has what is written to it is said, and not written for ever', async (t) => {
      const [store, another] = [await startStore(t), await startStore(t, { list: { online: [] } })];
      const env = { ...store.env, SHAZBOT_MASTER_LIST: another.url };
      const server = await startServer(t, { env: { ...env, ...NO_ANNOUNCE } });
      const said = () => server.warnings.filter(({ code }) => code === 'SHAZBOT_LIST_UNUSABLE');
      await until(() => said().length > 0, { timeout: 90_000, what: 'it is said' });
      assert.match(said()[0]?.message ?? '', /does not have what is written to it/);
      assert.ok(store.count('PUT') < 20, `${store.count('PUT')} writes`);
    });

    test('headers: one to read with, another and more to write with', async (t) => {
      const auth = 'Bearer to-write';
      const store = await startStore(t, { auth });
      const env = {
        ...store.env,
        ...NO_ANNOUNCE,
        SHAZBOT_MASTER_LIST_AUTH: 'Bearer to-read',
        SHAZBOT_MASTER_LIST_UPDATE_HEADERS: '{"x-ms-blob-type":"BlockBlob","Content-Type":"text/x-list"}',
      };
      const server = await startServer(t, { env });
      await until(() => store.servers().includes(server.baseUrl), { what: 'it announced itself' });
      for (const { method, authorization, headers } of store.calls) {
        assert.equal(authorization, method === 'PUT' ? auth : 'Bearer to-read');
        assert.equal(headers['x-ms-blob-type'], method === 'PUT' ? 'BlockBlob' : undefined);
        assert.equal(headers['content-type'], method === 'PUT' ? 'text/x-list' : undefined);
      }
    });

    test('a list that is kept compressed is read', async (t) => {
      const store = await startStore(t, { gzip: true, tags: 'strong' });
      const servers = await startServers(t, 2, { env: { ...store.env, ...NO_ANNOUNCE } });
      await agree(servers, { online: servers });
      await until(() => store.servers().length === 2, { what: 'both are in the list' });
    });
  });

  describe('a store that answers what is no list: nothing is lost, and it is said once', { concurrency: true }, () => {
    for (const fault of /** @type {const} */ (['500', 'html', 'half', 'huge', 'hang'])) {
      test(fault, { timeout: 120_000 }, async (t) => {
        const store = await startStore(t, { tags: 'strong' });
        const server = await startServer(t, { env: { ...store.env, ...FAST } });
        await until(() => store.servers().includes(server.baseUrl), { what: 'it announced itself' });
        store.list.online.push(entry(await nobody()));
        const list = store.servers();
        store.faults.GET = fault;
        const writes = store.count('PUT');
        const said = () => server.warnings.filter(({ code }) => code === 'SHAZBOT_LIST_UNUSABLE').length;
        await until(said, { timeout: 80_000, what: 'it is said' });
        if (fault === 'html') assert.match(server.warnings[0]?.message ?? '', /It begins with "<html>/);
        await during(5_000, () => {
          assert.deepEqual(store.servers(), list);
          assert.ok(store.count('PUT') <= writes + 1, 'but for one that was on its way');
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
