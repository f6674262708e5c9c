'use strict';

// Which server owns a key, and which one is picked for a request.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { describe, test } = require('node:test');

const { SECRET, agree, environment, fileList, startServers } = require('../harness/cluster.js');
const { catchWarnings, freshEngine, startEngine, withEnvironment } = require('../harness/engine.js');
const { startFakePeer, unusedUrl } = require('../harness/fake-peer.js');
const { entry, message } = require('../harness/gossip.js');
const { until } = require('../harness/until.js');
const { ownersOf, sipHash13 } = require('../lib/cli/ownership.js');

const vectors = require('../docs/ownership-vectors.json');

/** @typedef {Awaited<ReturnType<typeof startEngine>>} Engine */

/**
 * Lists servers that never answer, with extensions each.
 * @param {Engine} engine
 * @param {Record<string, string>} servers
 */
async function list({ shazbotGossipRequest }, servers) {
  const now = Date.now();
  const online = Object.entries(servers).map(([baseUrl, extensions]) => ({
    baseUrl,
    monitor: false,
    lastUpdate: now,
    shazbot: `${now}.1${extensions}`,
  }));
  await shazbotGossipRequest(SECRET, message(online));
}

/** @param {number} count @param {(i: number) => string} [extensions] */
const invented = (count, extensions = () => '') =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`http://10.0.0.${i + 1}:3000/`, extensions(i)]));

const PICKS = 25_000;

/** Leaves the own server out. */
const others = { where: (/** @type {import('..').ShazbotServer} */ { self }) => !self };

describe('the owner of a key', () => {
  test('is that of the published test vectors, and the specification gives the same', async (t) => {
    for (const [text, hash] of vectors.hashes) {
      assert.equal(sipHash13(String(text)).toString(16).padStart(16, '0'), hash, text);
    }
    for (const { key, servers, order } of vectors.owners) assert.deepEqual(ownersOf(key, servers), order);
    const engine = await startEngine(t, { SHAZBOT_TAGS: 'role=own' });
    await list(engine, Object.fromEntries(vectors.owners.flatMap(({ servers }) => servers.map((it) => [it, '']))));
    for (const { key, servers, order } of vectors.owners) {
      const options = { where: (/** @type {{ baseUrl: string }} */ { baseUrl }) => servers.includes(baseUrl) };
      assert.deepEqual(engine.shazbotOwners(key, 100, options), order);
      assert.equal(engine.shazbotOwner(key, options)?.baseUrl, order[0]);
      assert.deepEqual(engine.shazbotOwners(key, 2, options), order.slice(0, 2));
      assert.equal(engine.shazbotPick({ key, ...options })?.baseUrl, order[0]);
    }
  });

  test('is one that is ready and matches, and nobody if there are too few servers', async (t) => {
    const engine = await startEngine(t, { SHAZBOT_READY: 'manual', SHAZBOT_TAGS: 'role=db' });
    const { shazbotOwner, shazbotOwners, shazbotPick } = engine;
    assert.deepEqual([shazbotOwner('key'), shazbotOwners('key', 3), shazbotPick()], [undefined, [], undefined]);
    await list(
      engine,
      invented(6, (i) => (i < 3 ? '>trole=db' : '>n>trole=db')),
    );
    const ready = Object.keys(invented(3));
    assert.deepEqual(shazbotOwners('key', 9), ownersOf('key', ready));
    assert.deepEqual(shazbotOwners('key', 9, { where: { role: 'db' } }), ownersOf('key', ready));
    assert.deepEqual(shazbotOwners('key', 9, { where: { role: 'api' } }), []);
    assert.equal(shazbotOwner('key', { minOnline: 7 })?.baseUrl, ownersOf('key', ready)[0]);
    assert.equal(shazbotOwner('key', { minOnline: 8 }), undefined);
    assert.throws(() => shazbotOwner(/** @type {any} */ (7)), TypeError);
    assert.throws(() => shazbotOwners('key', 1.5), TypeError);
    assert.throws(() => shazbotOwner('key', { where: /** @type {any} */ ('db') }), TypeError);
  });

  test('is nobody for a server that looks for the others still, and before and after it runs', async (t) => {
    catchWarnings(t);
    /** @type {http.ServerResponse[]} */
    const waiting = [];
    const store = http.createServer((_, response) => void waiting.push(response)).listen(0, '127.0.0.1');
    t.after(() => store.close());
    await once(store, 'listening');
    const { port } = /** @type {import('node:net').AddressInfo} */ (store.address());
    const engine = freshEngine();
    const owners = () => [engine.shazbotOwner('key'), ...engine.shazbotOwners('key', 1)];
    /** @type {(boolean | undefined)[]} */
    const told = [];
    t.after(engine.shazbotOwner.watch('key', (owner) => told.push(owner?.self)));
    assert.deepEqual(owners(), [undefined]);
    const env = { ...environment(await unusedUrl()), SHAZBOT_MASTER_LIST: `http://127.0.0.1:${port}/` };
    const started = withEnvironment(env, () => engine.shazbotStart());
    t.after(() => engine.shazbotShutDown());
    await until(() => waiting.length > 0, { what: 'it reads the list' });
    assert.equal(engine.shazbotServers().length, 1);
    assert.deepEqual(owners(), [undefined]);
    waiting[0]?.end('{"online":[]}');
    await started;
    assert.equal(engine.shazbotOwner('key')?.self, true);
    await until(() => told.length === 2, { what: 'who watches is told' });
    assert.deepEqual(told, [undefined, true]);
    await engine.shazbotShutDown();
    assert.deepEqual(owners(), [undefined]);
  });

  test('is each server for its share of the keys, within 10 %', async (t) => {
    const engine = await startEngine(t, { SHAZBOT_READY: 'manual' });
    const servers = invented(10);
    await list(engine, servers);
    /** @type {Record<string, number>} */
    const owned = Object.fromEntries(Object.keys(servers).map((url) => [url, 0]));
    // A tenth of a share is 7.5 standard deviations. The hash has no chance in it: the same keys always give the same counts.
    for (let i = 0; i < 50_000; i++) {
      const url = String(engine.shazbotOwner(`user:${i}`)?.baseUrl);
      owned[url] = Number(owned[url]) + 1;
    }
    for (const [url, count] of Object.entries(owned)) assert.ok(Math.abs(count / 5_000 - 1) < 0.1, `${url}: ${count}`);
  });

  test('is settled two intervals after the last change, while nobody is suspected', async (t) => {
    const engine = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '0.5' });
    const isSettled = () => engine.shazbotOwner('key')?.settled;
    assert.equal(isSettled(), false);
    await until(isSettled, { what: 'the own server alone is settled' });
    const peer = await startFakePeer(t);
    await engine.shazbotGossipRequest(SECRET, message([peer.entry()]));
    await until(() => engine.shazbotServers().length === 2, { what: 'the peer is listed' });
    assert.equal(isSettled(), false);
    await until(isSettled, { what: 'both are settled' });
  });

  test('is told to who watches: at once, after each change of the owner, and when the engine ends', async (t) => {
    const { baseUrl, shazbotOwner, shazbotReady, shazbotShutDown } = await startEngine(t);
    /** @type {(string | undefined)[]} */
    const told = [];
    const stop = shazbotOwner.watch('key', (owner) => told.push(owner?.baseUrl));
    shazbotOwner.watch('key', () => assert.fail('it was ended'))();
    await until(() => told.length === 1, { what: 'the owner is told' });
    shazbotReady(false);
    await until(() => told.length === 2, { what: 'nobody is ready' });
    shazbotReady(true);
    await until(() => told.length === 3, { what: 'it is ready', timeout: 3_000 });
    assert.deepEqual(told, [baseUrl, undefined, baseUrl]);
    await shazbotShutDown();
    await until(() => told.length === 4, { what: 'the engine has ended' });
    stop();
    assert.equal(told[3], undefined);
  });
});

test('a watch of an owner looks once for all events that come together', async (t) => {
  const { shazbotGossipRequest, shazbotOwner } = await startEngine(t);
  let matched = 0;
  const where = () => Boolean(++matched);
  t.after(shazbotOwner.watch('key', () => {}, { where }));
  await until(() => matched > 0, { what: 'this server was matched' });
  const online = Array.from({ length: 500 }, (_, n) => entry(`http://127.0.0.1:${n + 1}/`));
  await shazbotGossipRequest(SECRET, message(online));
  await until(() => matched > 500, { what: 'the servers were matched' });
  // 500 events, each of which would match 501 servers.
  assert.ok(matched < 50_000, `${matched} matched`);
});

test('servers agree on the owners of keys, and only the keys of one that leaves move', async (t) => {
  const servers = await startServers(t, 4, { env: fileList().env });
  await agree(servers, { online: servers });
  const keys = Array.from({ length: 50 }, (_, i) => `key-${i}`);
  const owners = async () => {
    const all = await Promise.all(
      servers
        .filter(({ exit }) => !exit)
        .map((server) => Promise.all(keys.map((key) => server.order('call', 'shazbotOwner', key)))),
    );
    const urls = all.map((found) => found.map(({ baseUrl }) => baseUrl));
    for (const found of urls) assert.deepEqual(found, urls[0]);
    for (const [i, found] of all.entries()) {
      assert.ok(
        found.every(({ baseUrl, self }) => self === (baseUrl === servers.filter(({ exit }) => !exit)[i]?.baseUrl)),
      );
    }
    return /** @type {string[]} */ (urls[0]);
  };
  const before = await owners();
  const leaver = /** @type {typeof servers[0]} */ (servers[0]);
  await leaver.terminate();
  const rest = servers.slice(1);
  await agree(rest, { online: rest, offline: [leaver] });
  const after = await owners();
  for (const [i, owner] of after.entries()) {
    if (before[i] === leaver.baseUrl) assert.notEqual(owner, leaver.baseUrl);
    else assert.equal(owner, before[i]);
  }
});

describe('shazbotPick', () => {
  test('chooses all that match alike, prefers those of the own zone, and leaves out those that were tried', async (t) => {
    const engine = await startEngine(t, { SHAZBOT_TAGS: 'zone=own' });
    await list(
      engine,
      invented(4, (i) => (i === 3 ? '>n' : `>tzone=${i}`)),
    );
    const count = (/** @type {import('..').PickOptions} */ options) => {
      /** @type {Map<string, number>} */
      const counts = new Map();
      for (let i = 0; i < PICKS; i++) {
        const picked = engine.shazbotPick(options)?.tags.zone ?? 'none';
        counts.set(picked, (counts.get(picked) ?? 0) + 1);
      }
      return counts;
    };
    const all = count({});
    assert.deepEqual([...all.keys()].sort(), ['0', '1', '2', 'own']);
    // Each is picked with a probability of 1/4: a tenth of its share is 9.1 standard deviations, which chance exceeds once in 1e18.
    for (const times of all.values()) assert.ok(Math.abs(times / (PICKS / 4) - 1) < 0.1, `${[...all]}`);
    assert.deepEqual([...count({ prefer: [{ zone: '1' }] }).keys()], ['1']);
    assert.deepEqual([...count({ prefer: [{ zone: 'none' }, { zone: '2' }] }).keys()], ['2']);
    const except = new Set(['http://10.0.0.2:3000/']);
    assert.deepEqual([...count({ prefer: [{ zone: '1' }], except }).keys()].sort(), ['0', '2', 'own']);
    assert.deepEqual([...count({ where: { zone: ['0', '1'] }, prefer: [{ zone: '2' }] }).keys()].sort(), ['0', '1']);
    assert.deepEqual([...count({ where: { zone: 'none' } }).keys()], ['none']);
    const picked = engine.shazbotPick(others);
    assert.deepEqual([picked?.self, picked?.ready, picked?.suspect], [false, true, false]);
  });

  test('chooses a suspected server only if all are suspected', async (t) => {
    const peer = await startFakePeer(t);
    const engine = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '5' });
    await engine.shazbotGossipRequest(SECRET, message([peer.entry()]));
    await until(() => engine.shazbotServers().length === 2, { what: 'the peer is listed' });
    peer.answer = () => 'hang';
    const isSuspect = () => engine.shazbotServers().some(({ suspect }) => suspect);
    await until(isSuspect, { what: 'the peer is suspected', timeout: 20_000 });
    for (let i = 0; i < 50; i++) assert.equal(engine.shazbotPick()?.self, true);
    assert.equal(engine.shazbotPick(others)?.baseUrl, peer.baseUrl);
  });
});
