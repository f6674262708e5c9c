'use strict';

// Which of stale, repeated or wrongly stamped entries decides whether a server is online: version 1 had defects in all of it.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { SECRET, untilGossiped, agree, fileList, startServer, startServers, urls } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { startEngine } = require('../harness/engine.js');
const { unusedUrl, startFakePeer } = require('../harness/fake-peer.js');
const { entry, gossip, listedEntry, message } = require('../harness/gossip.js');
const { until } = require('../harness/until.js');

const HOUR = 60 * 60 * 1000;

/** @param {{ shazbotGetServerList: (all: boolean) => import('..').ServerList }} engine */
function view(engine) {
  const { online, offline = [] } = engine.shazbotGetServerList(true);
  return { online: urls(online), offline: urls(offline) };
}

/**
 * Starts servers that know each other well enough to detect the failure of the first one.
 *
 * @param {import('node:test').TestContext} t
 * @param {number} count
 */
async function startWithVictim(t, count) {
  const servers = await startServers(t, count, { env: fileList().env });
  await agree(servers, { online: servers });
  await untilGossiped(servers);
  const [victim, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
  return { victim, others };
}

describe('which servers are online', { concurrency: 3 }, () => {
  test('a killed server stays offline in every list: a stale entry does not revive it', async (t) => {
    const { victim, others } = await startWithVictim(t, 6);
    const before = await listedEntry(/** @type {any} */ (others[0]).baseUrl, victim.baseUrl);
    await victim.kill();
    await agree(others, { online: others, offline: [victim] });
    // As from a peer that missed the death and still sends the old entry.
    for (const other of others) await gossip(other.baseUrl, message([before.online]));
    await during(5_000, async () => {
      for (const other of others) {
        assert.deepEqual((await other.view()).offline, [victim.baseUrl], `as ${other.baseUrl} sees it`);
      }
    });
  });

  test('a stale entry without the shazbot field does not revive a server that died after it', async (t) => {
    const { victim, others } = await startWithVictim(t, 3);
    // The list route gives entries with the three fields of version 1 only.
    const before = (await victim.list()).online.filter(({ baseUrl }) => baseUrl === victim.baseUrl);
    await victim.kill();
    await agree(others, { online: others, offline: [victim] });
    for (const other of others) await gossip(other.baseUrl, message(before));
    await during(1_500, async () => {
      for (const other of others) assert.deepEqual((await other.view()).offline, [victim.baseUrl]);
    });
  });

  test('an online entry that is older than the offline entry changes nothing', async (t) => {
    const engine = await startEngine(t);
    const dead = await unusedUrl();
    await engine.shazbotGossipRequest(SECRET, message([], [entry(dead, 1_000)]));
    await engine.shazbotGossipRequest(SECRET, message([entry(dead, 2_000)]));
    assert.deepEqual(view(engine), { online: [engine.baseUrl], offline: [dead] });
  });

  test('the same entries give the same lists, in any order and any number of times', async (t) => {
    const engine = await startEngine(t);
    const origin = await unusedUrl();
    const now = Date.now();
    const states = ['online', 'offline'].flatMap((state) => {
      return [now - 3_000, now - 2_000, now - 1_000].map((lastUpdate) => ({ state, lastUpdate }));
    });
    const triples = states.flatMap((a) => states.flatMap((b) => states.map((c) => [a, b, c])));
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
      [0, 0, 1, 2, 0],
    ];
    // Each triple in each order belongs to a server of its own. One message has the n-th state of all these servers.
    for (const [o, order] of orders.entries()) {
      for (const n of order) {
        const entries = triples.map((triple, i) => {
          const { state, lastUpdate } = /** @type {typeof states[0]} */ (triple[n]);
          // The incarnation and the leave as the server itself states them: a third party's entry would be verified first.
          const shazbot = `${lastUpdate}.1${state === 'online' ? '' : '.l'}`;
          return { baseUrl: `${origin}${i}/${o}/`, monitor: false, state, lastUpdate, shazbot };
        });
        const online = entries.filter(({ state }) => state === 'online');
        const offline = entries.filter(({ state }) => state === 'offline');
        await engine.shazbotGossipRequest(SECRET, message(online, offline));
      }
    }
    const statesByUrl = () => {
      const { online, offline = [] } = engine.shazbotGetServerList(true);
      return new Map([
        ...online.map(({ baseUrl, lastUpdate }) => /** @type {const} */ ([baseUrl, `online ${lastUpdate}`])),
        ...offline.map(({ baseUrl, lastUpdate }) => /** @type {const} */ ([baseUrl, `offline ${lastUpdate}`])),
      ]);
    };
    // A server that was offline and came back is contacted before it is listed offline again. Nobody answers here.
    for (const [i, triple] of triples.entries()) {
      const newest = Math.max(...triple.map(({ lastUpdate }) => lastUpdate));
      const isOffline = triple.some(({ state, lastUpdate }) => state === 'offline' && lastUpdate === newest);
      const expected = `${isOffline ? 'offline' : 'online'} ${newest}`;
      const results = () => orders.map((_, o) => statesByUrl().get(`${origin}${i}/${o}/`));
      await until(() => results().every((result) => result === expected), {
        timeout: 60_000,
        what: `${JSON.stringify(triple)} is ${expected} in each order`,
      });
    }
  });

  test('a server that leaves stays offline in every list, even if the others gossip very often', async (t) => {
    const servers = await startServers(t, 4, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '0.1' } });
    await agree(servers, { online: servers });
    const [leaver, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
    await leaver.terminate();
    await agree(others, { online: others, offline: [leaver] }, { timeout: 2_000 });
    await during(2_000, async () => {
      for (const other of others) assert.deepEqual((await other.view()).offline, [leaver.baseUrl]);
    });
  });

  test('a server refutes an offline entry about itself from a peer with a fast clock, with a newer lastUpdate', async (t) => {
    const engine = await startEngine(t);
    const falseDeath = entry(engine.baseUrl, -HOUR);
    const answer = await engine.shazbotGossipRequest(SECRET, message([], [falseDeath]));
    assert.deepEqual(view(engine), { online: [engine.baseUrl], offline: [] });
    assert.deepEqual(urls(answer.offline ?? []), []);
    const own = answer.online.find(({ baseUrl }) => baseUrl === engine.baseUrl);
    assert.ok(own && own.lastUpdate > falseDeath.lastUpdate, 'the answer is newer than the false death');
  });

  test('all servers list a server online again after a peer with a fast clock reported it offline', async (t) => {
    const servers = await startServers(t, 3, { env: fileList().env });
    await agree(servers, { online: servers });
    const [subject, other] = /** @type {[typeof servers[0], typeof servers[0]]} */ (servers);
    const held = await listedEntry(other.baseUrl, subject.baseUrl);
    await gossip(other.baseUrl, message([], [{ ...held.online, lastUpdate: Date.now() + HOUR }]));
    await until(
      async () => {
        const own = await listedEntry(subject.baseUrl, subject.baseUrl);
        return own.online?.lastUpdate > Date.now() + HOUR - 60_000;
      },
      { what: 'the server has refuted its death' },
    );
    await agree(servers, { online: servers });
  });

  test('a server whose clock is two hours fast is listed offline when it stops', async (t) => {
    const fast = await startFakePeer(t, { ahead: 2 * HOUR });
    const { env } = fileList();
    const servers = await startServers(t, 2, { env });
    // Has no gossip round during the test: it can learn of the death only from the others.
    const passive = await startServer(t, { env: { ...env, SHAZBOT_GOSSIP_INTERVAL: '3600' } });
    const all = [...servers, passive];
    await agree(all, { online: all });
    for (const server of all) await gossip(server.baseUrl, message([fast.entry()]));
    await until(() => fast.received.length >= 15, { timeout: 30_000, what: 'the servers have gossiped with it' });
    await fast.stop();
    for (const server of all) {
      await until(async () => (await server.view()).offline.includes(fast.baseUrl), {
        what: `${server.baseUrl} lists it offline`,
      });
    }
  });

  test('an offline entry without a numeric lastUpdate is not kept', async (t) => {
    const engine = await startEngine(t);
    const { lastUpdate: _, ...unstamped } = entry(await unusedUrl());
    await engine.shazbotGossipRequest(SECRET, message([], [unstamped, { ...unstamped, lastUpdate: null }]));
    assert.deepEqual(view(engine).offline, []);
  });

  test('a peer that slept for a day does not revive servers that were forgotten', async (t) => {
    const engine = await startEngine(t);
    const long = await unusedUrl();
    await engine.shazbotGossipRequest(SECRET, message([entry(long, 25 * HOUR), entry(`${long}b/`, 21 * HOUR)]));
    assert.deepEqual(view(engine), { online: [engine.baseUrl], offline: [] });
  });

  test('different spellings of a base URL are the same server', async (t) => {
    const { port } = new URL(await unusedUrl());
    const engine = await startEngine(t, { SHAZBOT_BASE_URL: `http://LOCALHOST:${port}` });
    assert.deepEqual(view(engine).online, [`http://localhost:${port}/`]);
    const other = await unusedUrl();
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

  test('a server does not gossip with itself under another spelling of its base URL', async (t) => {
    const self = await startFakePeer(t);
    const { port } = new URL(self.baseUrl);
    const engine = await startEngine(t, {
      SHAZBOT_BASE_URL: `http://127.0.0.1:${port}`,
      SHAZBOT_GOSSIP_INTERVAL: '0.1',
    });
    await engine.shazbotGossipRequest(SECRET, message([entry(self.baseUrl), entry(`http://127.0.0.1:${port}`)]));
    // These are self-probes, which a server sends while it knows no other: they do not count as exchanges.
    await until(() => self.received.length > 10, { what: 'ten self-probes have arrived' });
    assert.deepEqual(urls(engine.shazbotGetServerList(true).online), [self.baseUrl]);
    assert.equal(engine.shazbotStatus().lastOut, undefined);
  });
});
