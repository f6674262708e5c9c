'use strict';

// How long a shutdown takes, which servers it tells, and what the functions do after it.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { SECRET, agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { freshEngine, startEngine } = require('../harness/engine.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { gossip, message } = require('../harness/gossip.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/**
 * Ends a server with a shutdown that must take less than `limit` ms.
 *
 * @param {Awaited<ReturnType<typeof startServer>>} server
 * @param {number} limit
 */
async function assertTerminates(server, limit) {
  const since = Date.now();
  assert.deepEqual(await server.terminate(), { code: 0, signal: null });
  const duration = Date.now() - since;
  assert.ok(duration < limit, `the shutdown took ${duration} ms`);
}

describe('a shutdown takes a limited time', { concurrency: true }, () => {
  test('it takes at most 6 s if all peers hang, and tells 20 servers and all monitors', async (t) => {
    const server = await startServer(t, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '30' } });
    const peers = await Promise.all(Array.from({ length: 30 }, (_, n) => startFakePeer(t, { monitor: n < 5 })));
    for (const peer of peers) peer.answer = () => 'hang';
    await gossip(server.baseUrl, message(peers.map((peer) => peer.entry())));
    await assertTerminates(server, 6_500);
    const contacted = peers.filter((peer) => peer.received.length > 0).length;
    assert.ok(contacted >= 20 && contacted <= 25, `${contacted} peers were told`);
    assert.ok(
      peers.slice(0, 5).every((monitor) => monitor.received.length > 0),
      'every monitor was told',
    );
  });

  test('it takes at most 12 s if the master list hangs too', async (t) => {
    const store = await startStore(t);
    const env = { ...store.env, SHAZBOT_GOSSIP_INTERVAL: '30', SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN: 'true' };
    const server = await startServer(t, { env });
    const peer = await startFakePeer(t);
    peer.answer = () => 'hang';
    await gossip(server.baseUrl, message([peer.entry()]));
    store.faults = { GET: 'hang', PUT: 'hang' };
    await assertTerminates(server, 12_500);
  });

  test('it ends at once if no other server is known', async (t) => {
    const server = await startServer(t, { env: fileList().env });
    await assertTerminates(server, 1_500);
  });

  test('it takes at most 6 s while the start still waits for its first answers', async (t) => {
    const peer = await startFakePeer(t, { answer: () => 'hang' });
    const store = await startStore(t, { list: { online: [peer.entry()] } });
    const server = await startServer(t, { env: store.env, wait: false });
    await until(() => peer.received.length > 0, { what: 'the start is in progress' });
    await assertTerminates(server, 6_500);
  });
});

test('the other servers list a server offline within a second after it left, without waiting for a round', async (t) => {
  const servers = await startServers(t, 3, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '30' } });
  await agree(servers, { online: servers });
  const [leaver, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
  await leaver.terminate();
  await agree(others, { online: others, offline: [leaver] }, { timeout: 1_000 });
});

// An idle connection would keep the process of a server that has left from ending.
test('connections to an online peer are reused, and those to an offline peer are closed after each exchange', async (t) => {
  const peer = await startFakePeer(t);
  let online = true;
  peer.answer = () => (res) => {
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify(online ? message([peer.entry()]) : message([], [peer.entry()])));
  };
  const server = await startServer(t, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '0.1' } });
  await gossip(server.baseUrl, message([peer.entry()]));
  await until(() => peer.received.length > 10, { what: 'ten exchanges with the online peer' });
  assert.ok(peer.connections < 5, `${peer.connections} connections while the peer is online`);
  online = false;
  await until(async () => (await server.view()).offline?.length, { what: 'the peer is listed offline' });
  const before = { received: peer.received.length, connections: peer.connections };
  await until(() => peer.received.length > before.received + 3, { what: 'exchanges with the offline peer' });
  // One exchange may have been in progress on an older connection.
  assert.ok(peer.connections - before.connections >= peer.received.length - before.received - 1);
});

test('a shutdown without a start resolves', async () => {
  const engine = freshEngine();
  assert.equal(await engine.shazbotShutDown(), undefined);
});

test('two shutdowns resolve, one after the other and at the same time', async (t) => {
  const engine = await startEngine(t);
  await Promise.all([engine.shazbotShutDown(), engine.shazbotShutDown()]);
  assert.equal(await engine.shazbotShutDown(), undefined);
});

test('after a shutdown the routes and functions answer as before the start, and the engine can start again', async (t) => {
  const server = await startServer(t, { env: fileList().env });
  await server.order('shutDown');
  await assert.rejects(server.order('call', 'shazbotGetServerList'), { code: 'SHAZBOT_NOT_STARTED' });
  const { status, json } = await gossip(server.baseUrl, message());
  assert.equal(status, 401);
  assert.deepEqual(json, { error: 'Clustershazbot engine not started' });
  await server.order('start');
  assert.deepEqual((await server.view()).online, [server.baseUrl]);
});

test('after a shutdown all functions fail with SHAZBOT_NOT_STARTED', async (t) => {
  const engine = await startEngine(t);
  await engine.shazbotShutDown();
  await assert.rejects(engine.shazbotGossipRequest(SECRET, message()), { code: 'SHAZBOT_NOT_STARTED' });
  await assert.rejects(engine.shazbotListRequest(''), { code: 'SHAZBOT_NOT_STARTED' });
  assert.throws(() => engine.shazbotGetServerList(), { code: 'SHAZBOT_NOT_STARTED' });
});
