'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { CONTROL_SECRET, SECRET, fileList, startServer } = require('./support/cluster.js');
const { startEngine } = require('./support/engine.js');
const { nobody } = require('./support/fake-peer.js');
const { entry, message } = require('./support/gossip.js');
const { request } = require('./support/http.js');

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
  const server = await startServer(t, { env: fileList(t).env });
  const url = `${server.baseUrl}clustershazbot/list`;
  for (const authorization of ['', 'wrong', SECRET]) {
    const { status, json } = await request(url, { headers: authorization ? { authorization } : {} });
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(json), ['online']);
    assert.deepEqual(urls(json.online), [server.baseUrl]);
  }
  assert.deepEqual(Object.keys(await server.list(CONTROL_SECRET)).sort(), ['offline', 'online']);
});
