'use strict';

// How servers find each other through the master list, and how dead ones leave it: version 1 had defects in all of it.

const assert = require('node:assert/strict');
const { existsSync, readdirSync } = require('node:fs');
const { test } = require('node:test');

const { untilGossiped, agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

const SLOW = { SHAZBOT_GOSSIP_INTERVAL: '3600' };
const NO_ANNOUNCE = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '86400', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '1' };

test('a dead server is removed from the master list and not written back', async (t) => {
  const store = await startStore(t);
  const announce = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '0.5', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '0.5' };
  const servers = await startServers(t, 3, { env: { ...store.env, ...announce } });
  await agree(servers, { online: servers });
  await until(() => store.servers().length === 3, { what: 'all three servers are in the master list' });
  await untilGossiped(servers);
  const [victim, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
  await victim.kill();
  // A server that does not know of the death yet still writes the dead one into the list.
  await agree(others, { online: others, offline: [victim] });
  await until(() => !store.servers().includes(victim.baseUrl), {
    timeout: 15_000,
    what: 'the dead server is removed from the master list',
  });
  const reads = store.count('GET');
  await during(3_000, async () => {
    assert.ok(!store.servers().includes(victim.baseUrl), 'the dead server is in the master list again');
    for (const other of others) assert.deepEqual((await other.view()).offline, [victim.baseUrl]);
  });
  assert.ok(store.count('GET') > reads + 4, 'both servers compared the master list with their own list');
});

test('ten servers that start at once all get into a master list in a file', async (t) => {
  const list = fileList();
  await startServers(t, 10, { env: { ...list.env, ...SLOW, ...NO_ANNOUNCE } });
  await until(() => existsSync(list.file) && list.servers().length === 10, { what: 'all ten servers are in the list' });
  await until(() => readdirSync(list.directory).length <= 2, { what: 'no temporary files are left' });
});

test('a new server uses the answers of the servers in the master list at once, without waiting for a round', async (t) => {
  const store = await startStore(t);
  const env = { ...store.env, ...NO_ANNOUNCE };
  const servers = await startServers(t, 2, { env });
  const [one] = /** @type {[typeof servers[0]]} */ (/** @type {unknown} */ (servers));
  await agree(servers, { online: servers });
  // The master list names only one of them: the new server can learn of the other only from that one's answer.
  const { online } = await one.list();
  store.list = { online: online.filter(({ baseUrl }) => baseUrl === one.baseUrl) };
  store.faults.PUT = '500';
  const newcomer = await startServer(t, { env: { ...env, ...SLOW } });
  await agree([newcomer], { online: [...servers, newcomer] }, { timeout: 3_000 });
});

test('a master list that could not be read at the start is read again within seconds', async (t) => {
  const store = await startStore(t);
  const env = { ...store.env, ...NO_ANNOUNCE };
  const first = await startServer(t, { env });
  await until(() => store.servers().length === 1, { what: 'the first server is in the list' });
  store.faults.GET = '500';
  const second = await startServer(t, { env: { ...env, ...SLOW } });
  assert.deepEqual((await second.view()).online, [second.baseUrl]);
  delete store.faults.GET;
  await agree([first, second], { online: [first, second] }, { timeout: 20_000 });
});

test('servers that start with an empty master list find each other within seconds', async (t) => {
  const store = await startStore(t);
  // The defaults of version 1: the next regular announcement is at least five minutes away.
  const env = { ...store.env, SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '300', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '600' };
  const servers = await startServers(t, 3, { env });
  await agree(servers, { online: servers }, { timeout: 20_000 });
});
