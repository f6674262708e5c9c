'use strict';

// What version 1 got wrong about who is up: each test is named for what it protects, and says which of the
// defects in the list of version 1's behaviour it guards against.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { SECRET, acquainted, agree, fileList, startServer, startServers, urls } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { startEngine } = require('../harness/engine.js');
const { nobody, startFakePeer } = require('../harness/fake-peer.js');
const { entry, gossip, heldOf, message } = require('../harness/gossip.js');
const { until } = require('../harness/until.js');

const HOUR = 60 * 60 * 1000;

/** @param {{ shazbotGetServerList: (all: boolean) => import('..').ServerList }} engine */
function view(engine) {
  const { online, offline = [] } = engine.shazbotGetServerList(true);
  return { online: urls(online), offline: urls(offline) };
}

describe('who is up', { concurrency: 3 }, () => {
  test('a killed server stays offline in every list: no stale entry brings it back (1)', async (t) => {
    const servers = await startServers(t, 6, { env: fileList().env });
    await agree(servers, { online: servers });
    await acquainted(servers);
    const [victim, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
    const before = await heldOf(/** @type {any} */ (others[0]).baseUrl, victim.baseUrl);
    await victim.kill();
    await agree(others, { online: others, offline: [victim] });
    // A peer that missed the death goes on telling what it knew.
    for (const other of others) await gossip(other.baseUrl, message([before.online]));
    await during(5_000, async () => {
      for (const other of others) {
        assert.deepEqual((await other.view()).offline, [victim.baseUrl], `as ${other.baseUrl} sees it`);
      }
    });
  });

  test('an entry that lost what only our servers know does not bring back a server that died after it (1)', async (t) => {
    const servers = await startServers(t, 3, { env: fileList().env });
    await agree(servers, { online: servers });
    await acquainted(servers);
    const [victim, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
    // As the list route hands it out: version 1's three fields.
    const before = (await victim.list()).online.filter(({ baseUrl }) => baseUrl === victim.baseUrl);
    await victim.kill();
    await agree(others, { online: others, offline: [victim] });
    for (const other of others) await gossip(other.baseUrl, message(before));
    await during(1_500, async () => {
      for (const other of others) assert.deepEqual((await other.view()).offline, [victim.baseUrl]);
    });
  });

  test('an online entry that is older than the offline one changes nothing (1)', async (t) => {
    const engine = await startEngine(t);
    const dead = await nobody();
    await engine.shazbotGossipRequest(SECRET, message([], [entry(dead, 1_000)]));
    await engine.shazbotGossipRequest(SECRET, message([entry(dead, 2_000)]));
    assert.deepEqual(view(engine), { online: [engine.baseUrl], offline: [dead] });
  });

  test('the same news in any order, and any number of times, gives the same lists (2)', async (t) => {
    const engine = await startEngine(t);
    const origin = await nobody();
    const now = Date.now();
    const facts = ['online', 'offline'].flatMap((state) => {
      return [now - 3_000, now - 2_000, now - 1_000].map((lastUpdate) => ({ state, lastUpdate }));
    });
    const triples = facts.flatMap((a) => facts.flatMap((b) => facts.map((c) => [a, b, c])));
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
      [0, 0, 1, 2, 0],
    ];
    // Each triple in each order is about a server of its own; one message tells the n-th fact of them all.
    for (const [o, order] of orders.entries()) {
      for (const n of order) {
        const told = triples.map((triple, i) => {
          const { state, lastUpdate } = /** @type {typeof facts[0]} */ (triple[n]);
          // As the server itself says it of its life and of its leave: another's word would be looked into.
          const shazbot = `${lastUpdate}.1${state === 'online' ? '' : '.l'}`;
          return { baseUrl: `${origin}${i}/${o}/`, monitor: false, state, lastUpdate, shazbot };
        });
        const online = told.filter(({ state }) => state === 'online');
        const offline = told.filter(({ state }) => state === 'offline');
        await engine.shazbotGossipRequest(SECRET, message(online, offline));
      }
    }
    const { online, offline = [] } = engine.shazbotGetServerList(true);
    const held = new Map([
      ...online.map(({ baseUrl, lastUpdate }) => /** @type {const} */ ([baseUrl, `online ${lastUpdate}`])),
      ...offline.map(({ baseUrl, lastUpdate }) => /** @type {const} */ ([baseUrl, `offline ${lastUpdate}`])),
    ]);
    for (const [i, triple] of triples.entries()) {
      const results = orders.map((_, o) => held.get(`${origin}${i}/${o}/`));
      const newest = Math.max(...triple.map(({ lastUpdate }) => lastUpdate));
      const dead = triple.some(({ state, lastUpdate }) => state === 'offline' && lastUpdate === newest);
      const expected = `${dead ? 'offline' : 'online'} ${newest}`;
      assert.deepEqual(results, Array(orders.length).fill(expected), JSON.stringify(triple));
    }
  });

  test('a server that leaves is not listed online by anybody, however fast they gossip with it meanwhile (3)', async (t) => {
    const servers = await startServers(t, 4, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '0.1' } });
    await agree(servers, { online: servers });
    const [leaver, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
    await leaver.terminate();
    await agree(others, { online: others, offline: [leaver] }, { timeout: 2_000 });
    await during(2_000, async () => {
      for (const other of others) assert.deepEqual((await other.view()).offline, [leaver.baseUrl]);
    });
  });

  test('a server that a peer with a fast clock called offline is online, in one list, with a newer stamp (5)', async (t) => {
    const engine = await startEngine(t);
    const accusation = entry(engine.baseUrl, -HOUR);
    const answer = await engine.shazbotGossipRequest(SECRET, message([], [accusation]));
    assert.deepEqual(view(engine), { online: [engine.baseUrl], offline: [] });
    assert.deepEqual(urls(answer.offline ?? []), []);
    const own = answer.online.find(({ baseUrl }) => baseUrl === engine.baseUrl);
    assert.ok(own && own.lastUpdate > accusation.lastUpdate, 'the answer outdoes the accusation');
  });

  test('all servers agree again after one was called offline by a peer with a fast clock (5)', async (t) => {
    const servers = await startServers(t, 3, { env: fileList().env });
    await agree(servers, { online: servers });
    const [accused, witness] = /** @type {[typeof servers[0], typeof servers[0]]} */ (servers);
    const held = await heldOf(witness.baseUrl, accused.baseUrl);
    await gossip(witness.baseUrl, message([], [{ ...held.online, lastUpdate: Date.now() + HOUR }]));
    await until(
      async () => {
        const own = await heldOf(accused.baseUrl, accused.baseUrl);
        return own.online?.lastUpdate > Date.now() + HOUR - 60_000;
      },
      { what: 'the accused server has answered the accusation' },
    );
    await agree(servers, { online: servers });
  });

  test('a server whose clock is two hours ahead is listed offline when it is gone (6)', async (t) => {
    const fast = await startFakePeer(t, { ahead: 2 * HOUR });
    const { env } = fileList();
    const servers = await startServers(t, 2, { env });
    // Has no rounds of its own in the time of the test: it can learn the death from the others alone.
    const told = await startServer(t, { env: { ...env, SHAZBOT_GOSSIP_INTERVAL: '3600' } });
    const all = [...servers, told];
    await agree(all, { online: all });
    for (const server of all) await gossip(server.baseUrl, message([fast.entry()]));
    await until(() => fast.received.length >= 15, { timeout: 30_000, what: 'they have gossiped with it' });
    await fast.stop();
    for (const server of all) {
      await until(async () => (await server.view()).offline.includes(fast.baseUrl), {
        what: `${server.baseUrl} lists it offline`,
      });
    }
  });

  test('an offline entry without a numeric stamp is not kept (16)', async (t) => {
    const engine = await startEngine(t);
    const { lastUpdate: _, ...unstamped } = entry(await nobody());
    await engine.shazbotGossipRequest(SECRET, message([], [unstamped, { ...unstamped, lastUpdate: null }]));
    assert.deepEqual(view(engine).offline, []);
  });

  test('a peer that slept for a day does not bring back servers that were forgotten (16)', async (t) => {
    const engine = await startEngine(t);
    const long = await nobody();
    await engine.shazbotGossipRequest(SECRET, message([entry(long, 25 * HOUR), entry(`${long}b/`, 21 * HOUR)]));
    assert.deepEqual(view(engine), { online: [engine.baseUrl], offline: [] });
  });

  test('a server has one name, however its base URL is written (17)', async (t) => {
    const { port } = new URL(await nobody());
    const engine = await startEngine(t, { SHAZBOT_BASE_URL: `http://LOCALHOST:${port}` });
    assert.deepEqual(view(engine).online, [`http://localhost:${port}/`]);
    const other = await nobody();
    const aliases = [
      other,
      other.slice(0, -1),
      other.replace('http:', 'HTTP:'),
      'http://127.0.0.1:80',
      'http://127.0.0.1',
    ];
    const own = [`http://localhost:${port}`, `http://LocalHost:${port}/`];
    await engine.shazbotGossipRequest(SECRET, message([...aliases, ...own].map((url) => entry(url))));
    assert.deepEqual(view(engine).online, [other, 'http://127.0.0.1/', `http://localhost:${port}/`].sort());
  });

  test('a server does not gossip with itself under another spelling of its name (17)', async (t) => {
    const self = await startFakePeer(t);
    const { port } = new URL(self.baseUrl);
    const engine = await startEngine(t, {
      SHAZBOT_BASE_URL: `http://127.0.0.1:${port}`,
      SHAZBOT_GOSSIP_INTERVAL: '0.1',
    });
    await engine.shazbotGossipRequest(SECRET, message([entry(self.baseUrl), entry(`http://127.0.0.1:${port}`)]));
    // Whether another process answers at its base URL it asks, as it knows nobody: that is no exchange.
    await until(() => self.received.length > 10, { what: 'ten rounds are over' });
    assert.deepEqual(urls(engine.shazbotGetServerList(true).online), [self.baseUrl]);
    assert.equal(engine.shazbotStatus().lastOut, undefined);
  });
});
