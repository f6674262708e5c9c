'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { SECRET, agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { freshEngine, startEngine } = require('../harness/engine.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { gossip, message } = require('../harness/gossip.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/**
 * @param {() => Promise<unknown>} work
 * @returns {Promise<number>} how long it took, in ms
 */
async function duration(work) {
  const since = Date.now();
  await work();
  return Date.now() - since;
}

describe('a shutdown ends in time, whatever the others do', { concurrency: true }, () => {
  test('within 6 s when all peers hang', async (t) => {
    const server = await startServer(t, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '30' } });
    const peers = await Promise.all(Array.from({ length: 30 }, (_, n) => startFakePeer(t, { monitor: n < 5 })));
    for (const peer of peers) peer.answer = () => 'hang';
    await gossip(server.baseUrl, message(peers.map((peer) => peer.entry())));
    const took = await duration(() => server.terminate());
    assert.ok(took < 6_500, `it took ${took} ms`);
    // To up to 20 servers and all monitors.
    const told = peers.filter((peer) => peer.received.length > 0).length;
    assert.ok(told >= 20 && told <= 25, `${told} peers were told`);
    assert.ok(
      peers.slice(0, 5).every((monitor) => monitor.received.length > 0),
      'every monitor was told',
    );
  });

  test('within 12 s when the master list hangs too', async (t) => {
    const store = await startStore(t);
    const env = { ...store.env, SHAZBOT_GOSSIP_INTERVAL: '30', SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN: 'true' };
    const server = await startServer(t, { env });
    const peer = await startFakePeer(t);
    peer.answer = () => 'hang';
    await gossip(server.baseUrl, message([peer.entry()]));
    store.faults = { GET: 'hang', PUT: 'hang' };
    const took = await duration(() => server.terminate());
    assert.ok(took < 12_500, `it took ${took} ms`);
    assert.deepEqual(server.exit, { code: 0, signal: null });
  });

  test('at once when there is nobody to tell', async (t) => {
    const server = await startServer(t, { env: fileList().env });
    const took = await duration(() => server.terminate());
    assert.ok(took < 1_500, `it took ${took} ms`);
  });

  test('while the start is still waiting for its first answers', async (t) => {
    const peer = await startFakePeer(t, { answer: () => 'hang' });
    const store = await startStore(t, { list: { online: [peer.entry()] } });
    const server = await startServer(t, { env: store.env, wait: false });
    await until(() => peer.received.length > 0, { what: 'the start is under way' });
    const took = await duration(() => server.terminate());
    assert.ok(took < 6_500, `it took ${took} ms`);
    assert.deepEqual(server.exit, { code: 0, signal: null });
  });
});

test('the others know at once that a server left, not a round later', async (t) => {
  const servers = await startServers(t, 3, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '30' } });
  await agree(servers, { online: servers });
  const [leaver, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
  await leaver.terminate();
  await agree(others, { online: others, offline: [leaver] }, { timeout: 1_000 });
});

test('a server that is offline is asked on connections that do not last: its program could not end before they do', async (t) => {
  const peer = await startFakePeer(t);
  const own = () => peer.entry();
  let there = true;
  peer.answer = () => (res) => {
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify(there ? message([own()]) : message([], [own()])));
  };
  const server = await startServer(t, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '0.1' } });
  await gossip(server.baseUrl, message([own()]));
  await until(() => peer.received.length > 10, { what: 'it is asked' });
  assert.ok(peer.connections < 5, `${peer.connections} connections while it is online`);
  there = false;
  await until(async () => (await server.view()).offline?.length, { what: 'it is offline' });
  const before = { asked: peer.received.length, connections: peer.connections };
  await until(() => peer.received.length > before.asked + 3, { what: 'it is asked now and then' });
  // All but one that may have been under way.
  assert.ok(peer.connections - before.connections >= peer.received.length - before.asked - 1);
});

test('a shutdown that was never started resolves', async () => {
  const engine = freshEngine();
  assert.equal(await engine.shazbotShutDown(), undefined);
});

test('a shutdown twice over resolves twice, one after the other and both at once', async (t) => {
  const engine = await startEngine(t);
  await Promise.all([engine.shazbotShutDown(), engine.shazbotShutDown()]);
  assert.equal(await engine.shazbotShutDown(), undefined);
});

test('after a shutdown every call is refused as before the start, and a start works again', async (t) => {
  const server = await startServer(t, { env: fileList().env });
  await server.order('shutDown');
  await assert.rejects(server.order('call', 'shazbotGetServerList'), { code: 'SHAZBOT_NOT_STARTED' });
  const { status, json } = await gossip(server.baseUrl, message());
  assert.equal(status, 401);
  assert.deepEqual(json, { error: 'Clustershazbot engine not started' });
  await server.order('start');
  assert.deepEqual((await server.view()).online, [server.baseUrl]);
});

test('the calls of an engine that was shut down reject with SHAZBOT_NOT_STARTED', async (t) => {
  const engine = await startEngine(t);
  await engine.shazbotShutDown();
  await assert.rejects(engine.shazbotGossipRequest(SECRET, message()), { code: 'SHAZBOT_NOT_STARTED' });
  await assert.rejects(engine.shazbotListRequest(''), { code: 'SHAZBOT_NOT_STARTED' });
  assert.throws(() => engine.shazbotGetServerList(), { code: 'SHAZBOT_NOT_STARTED' });
});
