'use strict';

// The server lists that the functions and the list route return: what is in them, for whom, and that they are copies.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { CONTROL_SECRET, SECRET, fileList, startServer } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { unusedUrl } = require('../harness/fake-peer.js');
const { entry, message } = require('../harness/gossip.js');
const { request } = require('../harness/http.js');

/** @param {{ baseUrl: string }[]} entries */
const urls = (entries) => entries.map(({ baseUrl }) => baseUrl).sort();

/**
 * Starts an engine that knows an online and an offline server.
 *
 * @param {import('node:test').TestContext} t
 */
async function withLists(t) {
  const engine = await startEngine(t);
  const alive = await unusedUrl();
  const dead = await unusedUrl();
  const unknownFields = { version: '1.2.3', other: { deep: [1] } };
  await engine.shazbotGossipRequest(
    SECRET,
    message([{ ...entry(alive), ...unknownFields, monitor: true }], [{ ...entry(dead), ...unknownFields }]),
  );
  return { engine, alive, dead };
}

test('shazbotGetServerList returns the online servers, and the offline ones on request', async (t) => {
  const { engine, alive, dead } = await withLists(t);
  for (const list of [engine.shazbotGetServerList(), engine.shazbotGetServerList(false)]) {
    assert.deepEqual(Object.keys(list), ['online']);
    assert.deepEqual(urls(list.online), [engine.baseUrl, alive].sort());
  }
  const { online, offline = [] } = engine.shazbotGetServerList(true);
  assert.equal(online.length, 2);
  assert.deepEqual(urls(offline), [dead]);
});

test('the returned entries have exactly the three fields of version 1', async (t) => {
  const { engine } = await withLists(t);
  const { online, offline = [] } = engine.shazbotGetServerList(true);
  const requested = await engine.shazbotListRequest(CONTROL_SECRET);
  for (const one of [...online, ...offline, ...requested.online, ...(requested.offline ?? [])]) {
    assert.deepEqual(Object.keys(one).sort(), ['baseUrl', 'lastUpdate', 'monitor']);
    assert.deepEqual([typeof one.baseUrl, typeof one.lastUpdate, typeof one.monitor], ['string', 'number', 'boolean']);
    assert.equal(Object.getPrototypeOf(one), Object.prototype);
  }
  assert.deepEqual(online.map(({ monitor }) => monitor).sort(), [false, true]);
});

test('changing a returned list does not change the lists of the engine', async (t) => {
  const { engine } = await withLists(t);
  const before = structuredClone(engine.shazbotGetServerList(true));
  for (const list of [
    engine.shazbotGetServerList(true),
    await engine.shazbotListRequest(CONTROL_SECRET),
    await engine.shazbotGossipRequest(SECRET, message()),
  ]) {
    for (const one of [...list.online, ...(list.offline ?? [])]) {
      Object.assign(one, { baseUrl: 'http://changed.test/', monitor: true, lastUpdate: 0 });
    }
    list.online.push(entry('http://added.test/'));
    list.offline?.splice(0);
    const { online, offline } = engine.shazbotGetServerList(true);
    assert.deepEqual([online.length, offline?.length], [before.online.length, before.offline?.length]);
    assert.deepEqual(urls(online), urls(before.online));
  }
});

test('the next list contains every change, and lists returned earlier stay as they were', async (t) => {
  const { engine, alive, dead } = await withLists(t);
  const list = () => engine.shazbotGetServerList(true);
  const lastUpdateOf = (/** @type {string} */ baseUrl, { online, offline = [] } = list()) =>
    [...online, ...offline].find((one) => one.baseUrl === baseUrl)?.lastUpdate;
  const send = (/** @type {any[]} */ online, /** @type {any[]} */ offline = []) =>
    engine.shazbotGossipRequest(SECRET, message(online, offline));

  const first = list();
  const before = structuredClone(first);
  const newer = entry(alive, -5_000);
  await send([newer]);
  assert.equal(lastUpdateOf(alive), newer.lastUpdate, 'a newer lastUpdate');
  const [added, left] = [await unusedUrl(), await unusedUrl()];
  await send([entry(added)], [entry(left)]);
  assert.deepEqual(urls(list().online), [engine.baseUrl, alive, added].sort(), 'another online server');
  assert.deepEqual(urls(list().offline ?? []), [dead, left].sort(), 'another offline server');
  const later = [entry(alive, -6_000), entry(added, -7_000)];
  await send(later);
  for (const { baseUrl, lastUpdate } of later) assert.equal(lastUpdateOf(baseUrl), lastUpdate, 'two newer lastUpdates');
  await send([{ ...entry(alive, -8_000), monitor: true }]);
  assert.deepEqual(urls(list().online.filter(({ monitor }) => monitor)), [alive], 'a monitor');
  assert.deepEqual(first, before);
});

test('changing a message after the call does not change the lists of the engine', async (t) => {
  const { engine, alive, dead } = await withLists(t);
  const sent = message([entry(alive, -1_000)], [entry(dead, -1_000)]);
  await engine.shazbotGossipRequest(SECRET, sent);
  for (const one of [...sent.online, ...sent.offline]) Object.assign(one, entry('http://changed.test/'));
  const { online, offline = [] } = engine.shazbotGetServerList(true);
  assert.deepEqual([urls(online), urls(offline)], [[engine.baseUrl, alive].sort(), [dead]]);
});

test('a server is in one list only, and only once', async (t) => {
  const { engine, alive, dead } = await withLists(t);
  const both = [entry(alive), entry(dead), entry(alive, 5), entry(engine.baseUrl)];
  await engine.shazbotGossipRequest(SECRET, message(both, both));
  const { online, offline = [] } = engine.shazbotGetServerList(true);
  const all = urls([...online, ...offline]);
  assert.deepEqual(all, [...new Set(all)]);
});

test('the list route shows the online servers to everybody, and the offline ones only for the control secret', async (t) => {
  const server = await startServer(t, { env: fileList().env });
  const url = `${server.baseUrl}clustershazbot/list`;
  for (const authorization of ['', 'wrong', SECRET]) {
    const { status, json } = await request(url, { headers: authorization ? { authorization } : {} });
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(json), ['online']);
    assert.deepEqual(urls(json.online), [server.baseUrl]);
  }
  assert.deepEqual(Object.keys(await server.list(CONTROL_SECRET)).sort(), ['offline', 'online']);
});
