'use strict';

// How servers find each other while the master list is unavailable, is one of several, or names mostly dead servers.

const assert = require('node:assert/strict');
const { existsSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { describe, test } = require('node:test');

const { agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { folder } = require('../harness/folder.js');
const { freePorts } = require('../harness/ports.js');
const { fastClock } = require('./support/clock.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

const NO_ANNOUNCE = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '86400', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '1' };
/** For what takes many seconds. */
const FAST = { ...fastClock(4), SHAZBOT_GOSSIP_INTERVAL: '1' };
/** No gossip round happens during the test. */
const SLOW = { SHAZBOT_GOSSIP_INTERVAL: '3600' };

/** The URL of a store that does not run, and the environment of its users. */
async function unreachableStore() {
  const [port] = /** @type {[number]} */ (await freePorts(1));
  const url = `http://127.0.0.1:${port}/servers.json`;
  const auth = 'Bearer the-update-secret';
  const env = { SHAZBOT_MASTER_LIST: url, SHAZBOT_MASTER_LIST_UPDATE: url, SHAZBOT_MASTER_LIST_UPDATE_AUTH: auth };
  return { port, env, auth };
}

describe('a state file', { concurrency: true }, () => {
  test('lets a server that restarts while the store is down list its peers at once', async (t) => {
    const store = await startStore(t);
    const peer = await startServer(t, { env: { ...store.env, ...FAST, ...NO_ANNOUNCE, ...SLOW } });
    const file = join(folder(), 'state.json');
    const env = { ...store.env, ...FAST, ...NO_ANNOUNCE, SHAZBOT_STATE_FILE: file };
    const server = await startServer(t, { env });
    await agree([server], { online: [server, peer] });
    await until(() => existsSync(file) && readFileSync(file, 'utf8').includes(peer.baseUrl), {
      what: 'the peer is saved',
    });
    assert.ok(!readFileSync(file, 'utf8').includes(server.baseUrl), 'the own server is not saved');
    await server.kill();
    store.faults = { GET: '500', PUT: '500' };
    await server.restart();
    assert.deepEqual((await server.view()).online, [server.baseUrl, peer.baseUrl].sort());
  });

  test('is ignored with a warning and replaced if it is damaged', async (t) => {
    const file = join(folder(), 'state.json');
    for (const [damage, reason] of /** @type {const} */ ([
      ['{"online":[{"baseUrl":"htt', 'not JSON'],
      ['\0\0\0\0', 'not a JSON object'],
    ])) {
      writeFileSync(file, damage);
      const store = await startStore(t);
      const peer = await startServer(t, { env: { ...store.env, ...FAST } });
      const server = await startServer(t, { env: { ...store.env, ...FAST, SHAZBOT_STATE_FILE: file } });
      await agree([server, peer], { online: [server, peer] });
      const warning = () => server.warnings.find(({ code }) => code === 'SHAZBOT_STATE_UNUSABLE');
      const { message } = await until(warning, { what: reason });
      assert.ok(message.includes(file) && message.includes(reason), message);
      await until(() => JSON.parse(readFileSync(file, 'utf8')).online.length === 1, { what: 'the file is replaced' });
      await server.kill();
    }
  });

  test('causes one warning and no other harm if it cannot be written', async (t) => {
    const store = await startStore(t);
    const env = { ...store.env, ...FAST, SHAZBOT_STATE_FILE: join(folder(), 'nowhere', 'state.json') };
    const [server] = /** @type {[any, any]} */ (await startServers(t, 2, { env }));
    const warnings = () =>
      server.warnings.filter((/** @type {any} */ { code }) => code === 'SHAZBOT_STATE_UNUSABLE').length;
    await until(warnings, { what: 'the warning' });
    const more = await startServer(t, { env });
    await until(async () => (await server.view()).online.includes(more.baseUrl), { what: 'another server joins' });
    await until(() => server.logs.some((/** @type {any} */ { code }) => code === 'STATE_FAILED'), {
      what: 'a second failed write is logged',
    });
    assert.equal(warnings(), 1);
  });
});

describe('with several master lists', { concurrency: true }, () => {
  test('one that works is enough, and a server updates each one that works', async (t) => {
    const [one, other, down] = [await startStore(t), await startStore(t), await unreachableStore()];
    const auth = one.env.SHAZBOT_MASTER_LIST_UPDATE_AUTH;
    const urls = (/** @type {string[]} */ ...lists) => lists.join(' ');
    const env = (/** @type {string} */ lists) => ({
      SHAZBOT_MASTER_LIST: lists,
      SHAZBOT_MASTER_LIST_UPDATE: lists,
      SHAZBOT_MASTER_LIST_UPDATE_AUTH: auth,
      ...NO_ANNOUNCE,
    });
    const missing = down.env.SHAZBOT_MASTER_LIST;
    const first = await startServer(t, { env: env(urls(missing, one.url, other.url)) });
    await until(() => [one, other].every((store) => store.servers().includes(first.baseUrl)), {
      what: 'the first server is in both lists',
    });
    const second = await startServer(t, { env: env(urls(other.url, missing)) });
    await agree([first, second], { online: [first, second] });
    await until(() => other.servers().length === 2, { what: 'the second server is in the list that it uses' });
  });

  test('SHAZBOT_MASTER_LIST and SHAZBOT_MASTER_LIST_UPDATE must have the same number of URLs', async (t) => {
    const { env } = await unreachableStore();
    const list = `${env.SHAZBOT_MASTER_LIST} ${env.SHAZBOT_MASTER_LIST}`;
    const server = await startServer(t, { env: { ...env, SHAZBOT_MASTER_LIST: list }, wait: false });
    await until(() => server.refused, { what: 'the start is rejected' });
    assert.match(server.refused?.message ?? '', /has 1 URL, SHAZBOT_MASTER_LIST 2/);
  });
});

test('a server that restarts while the store is down is found by peers that list it offline', async (t) => {
  const store = await startStore(t);
  const servers = await startServers(t, 3, { env: { ...store.env, ...NO_ANNOUNCE } });
  const [server, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
  await agree(servers, { online: servers });
  await server.terminate();
  await agree(others, { online: others, offline: [server] });
  store.faults = { GET: '500', PUT: '500' };
  await server.restart();
  await agree(servers, { online: servers });
});

test('servers that start while their store is down find each other within 5 s after it is back', async (t) => {
  const { port, env, auth } = await unreachableStore();
  const speed = 3;
  const options = { env: { ...env, ...fastClock(speed), ...NO_ANNOUNCE, SHAZBOT_GOSSIP_INTERVAL: '30' } };
  const servers = await startServers(t, 10, options);
  // Backoff without a low limit for lone servers would have grown to more than 5 s by then.
  const alone = async () => {
    for (const server of servers) assert.deepEqual((await server.view()).online, [server.baseUrl]);
  };
  await during(30_000 / speed, alone, { every: 1_000 });
  await startStore(t, { port, auth });
  const ms = await agree(servers, { online: servers }, { timeout: 5_000 / speed });
  t.diagnostic(`the servers found each other after ${speed * ms} ms`);
});

test('a server finds the one online server in a list with 5 000 servers that died a month ago', async (t) => {
  const store = await startStore(t);
  const peer = await startServer(t, { env: { ...store.env, ...NO_ANNOUNCE, ...SLOW } });
  await until(() => store.servers().includes(peer.baseUrl), { what: 'the first server is in the list' });
  const lastUpdate = Date.now() - 30 * 86_400_000;
  // Nothing listens at these addresses.
  const dead = Array.from({ length: 5_000 }, (_, n) => `http://127.1.${n >> 8}.${n & 255}:9/`);
  const online = [peer.baseUrl, ...dead].map((baseUrl) => ({ baseUrl, monitor: false, lastUpdate }));
  store.list = { online: online.sort(() => Math.random() - 0.5) };
  const since = Date.now();
  const server = await startServer(t, { env: { ...store.env, ...NO_ANNOUNCE } });
  await agree([server], { online: [server, peer] }, { timeout: 30_000 });
  t.diagnostic(`found after ${Date.now() - since} ms`);
  assert.equal(server.exit, undefined);
});

test('the list route of a server is a list that is only read, and nothing is wrong with that', async (t) => {
  const { env } = fileList();
  const peer = await startServer(t, { env: { ...env, ...FAST } });
  const list = { SHAZBOT_MASTER_LIST: `${peer.baseUrl}clustershazbot/list` };
  const server = await startServer(t, { env: { ...list, ...FAST } });
  await agree([server, peer], { online: [server, peer] });
  await during(5_000, () => assert.deepEqual([server.warnings, server.logs.filter(isListRecord)], [[], []]));
});

/** @param {{ code: string }} log */
const isListRecord = ({ code }) => /^LIST_(FAILED|WRITTEN)$/.test(code);

test('a list that is lost has all servers again within two intervals, and a new server finds them', async (t) => {
  const store = await startStore(t);
  const interval = 4_000;
  const env = { ...store.env, ...NO_ANNOUNCE, SHAZBOT_GOSSIP_INTERVAL: String(interval / 1_000) };
  const servers = await startServers(t, 5, { env });
  await agree(servers, { online: servers });
  await until(() => store.servers().length === 5, { what: 'all are in the list' });
  store.list = { online: [] };
  const added = await startServer(t, { env });
  const ms = await agree([added, ...servers], { online: [added, ...servers] }, { timeout: 2 * interval + 2_000 });
  t.diagnostic(`found after ${ms} ms`);
});
