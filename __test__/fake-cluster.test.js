'use strict';

// The fake cluster of clustershazbot/testing: what the functions, the events and the routes of the package say with it.

const assert = require('node:assert/strict');
const { createServer } = require('node:http');
const { afterEach, describe, test } = require('node:test');

const { environment, fileList, urls } = require('../harness/cluster.js');
const { unusedUrl } = require('../harness/fake-peer.js');
const { request } = require('../harness/http.js');
const shazbot = require('..');
const { shazbotRouter } = require('../lib/express.js');
const { createFakeCluster } = require('../lib/testing.js');

const [A, B, C] = ['http://a/', 'http://b/', 'http://c:3000/api/'];

/** @param {import('node:test').TestContext} t */
function eventsOf(t) {
  /** @type {string[]} */
  const events = [];
  const listen = (/** @type {import('..').MemberEvent} */ { type, baseUrl, reason }) =>
    events.push([type, baseUrl, reason].filter(Boolean).join(' '));
  const names = /** @type {const} */ (['online', 'offline', 'suspect', 'tags', 'ready']);
  for (const name of names) shazbot.shazbotEvents.on(name, listen);
  t.after(() => names.map((name) => shazbot.shazbotEvents.off(name, listen)));
  return events;
}

describe('a fake cluster', () => {
  afterEach(() => createFakeCluster().restore());

  test('is what the functions return, with and without a start, whatever the environment has', async () => {
    createFakeCluster({ online: ['http://a', { baseUrl: C, monitor: true, lastUpdate: 5 }], offline: [B] });
    const { online, offline } = shazbot.shazbotEvents.snapshot();
    assert.deepEqual([urls(online), urls(offline)], [[A, C], [B]]);
    assert.deepEqual(online[1], { baseUrl: C, monitor: true, lastUpdate: 5 });
    process.env.SHAZBOT_ENABLED = 'false';
    await shazbot.shazbotStart();
    delete process.env.SHAZBOT_ENABLED;
    assert.deepEqual(urls(shazbot.shazbotGetServerList().online), [A, C]);
    await shazbot.shazbotShutDown();
    assert.deepEqual(urls(shazbot.shazbotGetServerList().online), [A, C]);
  });

  test('is asked by tags, for a server, an owner and the status', async () => {
    const db = { baseUrl: B, tags: { role: 'db' } };
    createFakeCluster({ online: [A, db, { baseUrl: C, ready: false, suspect: true }] });
    const flags = shazbot.shazbotServers().map(({ baseUrl, self, suspect, ready }) => [baseUrl, self, suspect, ready]);
    assert.deepEqual(flags, [
      [A, true, false, true],
      [B, false, false, true],
      [C, false, true, false],
    ]);
    assert.equal(shazbot.shazbotPick({ where: { role: 'db' } })?.baseUrl, B);
    assert.equal(shazbot.shazbotOwner('key', { where: { role: 'db' } })?.baseUrl, B);
    assert.deepEqual(shazbot.shazbotOwners('key', 3).sort(), [A, B], 'one that is not ready owns nothing');
    const { baseUrl, state, members } = shazbot.shazbotStatus();
    assert.deepEqual([baseUrl, state, members.map((it) => it.state)], [A, 'online', ['online', 'online', 'suspect']]);
    assert.deepEqual(
      members.map((it) => it.ready),
      [true, true, false],
    );
    const waiting = shazbot.shazbotWaitFor({ online: 3 });
    createFakeCluster({ online: [A] }).set({ online: [A, B, C] });
    assert.equal((await waiting).length, 3);
    assert.deepEqual(shazbot.shazbotOwner('key', { where: ({ self }) => self }), {
      baseUrl: A,
      self: true,
      settled: true,
    });
  });

  test('has only its own events in the status', () => {
    createFakeCluster({ online: [A, B] }).set({ online: [A] });
    createFakeCluster({ online: [C] });
    const { recent } = shazbot.shazbotStatus();
    assert.deepEqual(
      recent.map(({ type, baseUrl }) => [type, baseUrl]),
      [['online', C]],
    );
  });

  test('emits an event for each server that a change concerns', (t) => {
    const cluster = createFakeCluster({ online: [A, B] });
    const events = eventsOf(t);
    cluster.set({ online: [A, C], offline: [{ baseUrl: B, reason: 'left' }] });
    cluster.set({
      online: [
        { baseUrl: A, tags: { v: '2' } },
        { baseUrl: C, suspect: true },
      ],
      offline: [B],
    });
    cluster.set({ online: [{ baseUrl: A, tags: { v: '2' }, ready: false }, C] });
    cluster.set({});
    assert.deepEqual(events, [
      `online ${C}`,
      `offline ${B} left`,
      `tags ${A}`,
      `suspect ${C}`,
      `ready ${A}`,
      `offline ${A}`,
      `offline ${C}`,
    ]);
  });

  test('changes with what the program says of itself', (t) => {
    const { service } = createFakeCluster({ online: [A, B] });
    const events = eventsOf(t);
    service.drain();
    assert.deepEqual([urls(service.list().online), service.status().state], [[B], 'drained']);
    service.undrain();
    service.setTags({ role: 'api', zone: 'a' });
    service.ready(false);
    assert.deepEqual(urls(service.servers({ role: 'api', zone: 'a' })), [A]);
    assert.equal(service.pick()?.baseUrl, B);
    assert.deepEqual(events, [`offline ${A} drained`, `online ${A}`, `tags ${A}`, `ready ${A}`]);
  });

  test('is served by the routes, which answer no gossip', async (t) => {
    createFakeCluster({ online: [A], offline: [B] });
    const server = createServer(shazbotRouter()).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    const ask = (/** @type {string} */ route, /** @type {any} */ options = {}) =>
      request(`http://127.0.0.1:${port}/clustershazbot/${route}`, options);
    assert.deepEqual(Object.keys((await ask('list')).json), ['online']);
    const headers = { authorization: 'any' };
    const { online, offline } = (await ask('list', { headers })).json;
    assert.deepEqual([urls(online), urls(offline)], [[A], [B]]);
    assert.equal((await ask('status', { headers })).json.baseUrl, A);
    assert.equal((await ask('health')).status, 200);
    assert.equal(
      (await ask('gossip', { method: 'POST', headers, body: { message: 'gossip', online: [] } })).status,
      503,
    );
  });

  test('ends, and cannot begin while the engine runs', async () => {
    createFakeCluster({ online: [A] }).restore();
    assert.throws(() => shazbot.shazbotGetServerList(), { code: 'SHAZBOT_NOT_STARTED' });
    const baseUrl = await unusedUrl();
    Object.assign(process.env, environment(baseUrl), fileList().env);
    await shazbot.shazbotStart();
    assert.deepEqual(urls(shazbot.shazbotGetServerList().online), [baseUrl]);
    assert.throws(() => createFakeCluster(), /The engine runs: call shazbotShutDown before createFakeCluster/);
    await shazbot.shazbotShutDown();
  });
});
