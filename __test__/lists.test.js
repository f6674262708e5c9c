'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { CONTROL_SECRET, SECRET, fileList, startServer } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { nobody } = require('../harness/fake-peer.js');
const { entry, message } = require('../harness/gossip.js');
const { request } = require('../harness/http.js');

/**
 * An engine that knows an online and an offline server.
 *
 * @param {import('node:test').TestContext} t
 */
async function withLists(t) {
  const engine = await startEngine(t);
  const alive = await nobody();
  const dead = await nobody();
  const more = { version: '1.2.3', other: { deep: [1] } };
  await engine.shazbotGossipRequest(
    SECRET,
    message([{ ...entry(alive), ...more, monitor: true }], [{ ...entry(dead), ...more }]),
  );
  return { engine, alive, dead };
}

test('the local list holds the online servers, and the offline ones where they are asked for', async (t) => {
  const { engine, alive, dead } = await withLists(t);
  for (const list of [engine.shazbotGetServerList(), engine.shazbotGetServerList(false)]) {
    assert.deepEqual(Object.keys(list), ['online']);
    assert.deepEqual(list.online.map(({ baseUrl }) => baseUrl).sort(), [engine.baseUrl, alive].sort());
  }
  const { online, offline } = engine.shazbotGetServerList(true);
  assert.equal(online.length, 2);
  assert.deepEqual(
    offline?.map(({ baseUrl }) => baseUrl),
    [dead],
  );
});

test('the entries handed out have the three fields of version 1 and no more', async (t) => {
  const { engine } = await withLists(t);
  const { online, offline = [] } = engine.shazbotGetServerList(true);
  const asked = await engine.shazbotListRequest(CONTROL_SECRET);
  for (const one of [...online, ...offline, ...asked.online, ...(asked.offline ?? [])]) {
    assert.deepEqual(Object.keys(one).sort(), ['baseUrl', 'lastUpdate', 'monitor']);
    assert.deepEqual([typeof one.baseUrl, typeof one.lastUpdate, typeof one.monitor], ['string', 'number', 'boolean']);
    assert.equal(Object.getPrototypeOf(one), Object.prototype);
  }
  assert.deepEqual(online.map(({ monitor }) => monitor).sort(), [false, true]);
});

test('the lists handed out are copies: changing one changes nothing in the engine (20)', async (t) => {
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

/** @param {{ baseUrl: string }[]} entries */
const urls = (entries) => entries.map(({ baseUrl }) => baseUrl).sort();

test('whatever the news, the next list has it, and those handed out before stay as they were', async (t) => {
  const { engine, alive, dead } = await withLists(t);
  const list = () => engine.shazbotGetServerList(true);
  const stampOf = (/** @type {string} */ baseUrl, { online, offline = [] } = list()) =>
    [...online, ...offline].find((one) => one.baseUrl === baseUrl)?.lastUpdate;
  const tell = (/** @type {any[]} */ online, /** @type {any[]} */ offline = []) =>
    engine.shazbotGossipRequest(SECRET, message(online, offline));

  const first = list();
  const before = structuredClone(first);
  const fresh = entry(alive, -5_000);
  await tell([fresh]);
  assert.equal(stampOf(alive), fresh.lastUpdate, 'a newer stamp');
  const [added, left] = [await nobody(), await nobody()];
  await tell([entry(added)], [entry(left)]);
  assert.deepEqual(urls(list().online), [engine.baseUrl, alive, added].sort(), 'another server');
  assert.deepEqual(urls(list().offline ?? []), [dead, left].sort(), 'another that is gone');
  const later = [entry(alive, -6_000), entry(added, -7_000)];
  await tell(later);
  for (const { baseUrl, lastUpdate } of later) assert.equal(stampOf(baseUrl), lastUpdate, 'stamps after that');
  await tell([{ ...entry(alive, -8_000), monitor: true }]);
  assert.deepEqual(urls(list().online.filter(({ monitor }) => monitor)), [alive], 'a monitor');
  assert.deepEqual(first, before);
});

test('a message that the caller changes after the call changes nothing in the engine (20)', async (t) => {
  const { engine, alive, dead } = await withLists(t);
  const told = message([entry(alive, -1_000)], [entry(dead, -1_000)]);
  await engine.shazbotGossipRequest(SECRET, told);
  for (const one of [...told.online, ...told.offline]) Object.assign(one, entry('http://changed.test/'));
  const { online, offline = [] } = engine.shazbotGetServerList(true);
  assert.deepEqual([urls(online), urls(offline)], [[engine.baseUrl, alive].sort(), [dead]]);
});

test('no server stands in both lists, nor twice in one', async (t) => {
  const { engine, alive, dead } = await withLists(t);
  const both = [entry(alive), entry(dead), entry(alive, 5), entry(engine.baseUrl)];
  await engine.shazbotGossipRequest(SECRET, message(both, both));
  const { online, offline = [] } = engine.shazbotGetServerList(true);
  const all = urls([...online, ...offline]);
  assert.deepEqual(all, [...new Set(all)]);
});

test('anyone gets the online servers over HTTP, the control secret the offline ones too', async (t) => {
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
