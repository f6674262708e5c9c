'use strict';

// Which peers a server contacts, when, and how it takes their answers: version 1 had defects in all of it.

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const { test } = require('node:test');

const { SECRET, untilGossiped, agree, fileList, startServer } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { startEngine } = require('../harness/engine.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { entry, gossip, message } = require('../harness/gossip.js');
const { startNetwork } = require('./support/network.js');
const { freePorts } = require('../harness/ports.js');
const { until } = require('../harness/until.js');

test('a probe that fails after the peer itself sent gossip does not make the peer offline', async (t) => {
  const server = await startServer(t, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '1' } });
  const peer = await startFakePeer(t);
  await gossip(server.baseUrl, message([peer.entry()]));
  await until(() => peer.received.length >= 2, { what: 'the peer has answered the server' });

  // The peer resets connections for longer than a probe and its retry take.
  let failUntil = Number.POSITIVE_INFINITY;
  let failures = 0;
  peer.answer = async () => {
    if (Date.now() > failUntil) return peer.alive();
    if (failures === 0) failUntil = Date.now() + 4_000;
    failures += 1;
    // While the probe is under way the peer itself sends gossip, and then the probe fails.
    await gossip(server.baseUrl, message([peer.entry()]));
    return 'reset';
  };
  await until(() => failures > 0, { what: 'a probe fails' });
  await during(6_000, async () => {
    assert.ok((await server.view()).online.includes(peer.baseUrl), 'the peer is listed online');
  });
  assert.ok(failures >= 2, 'the retry fails too');
});

test('a peer that answers 200 without a gossip message counts as failed, and the server keeps running', async (t) => {
  const bodies = ['{}', 'null', '"gossip"', '[]', '', '<html></html>', '{"message":"gossip","online":7}'];
  const server = await startServer(t, { env: fileList().env });
  const peers = await Promise.all(bodies.map(() => startFakePeer(t)));
  await gossip(server.baseUrl, message(peers.map((peer) => peer.entry())));
  for (const [n, peer] of peers.entries()) {
    await until(() => peer.received.length >= 2, { what: 'the peer has answered the server', timeout: 20_000 });
    peer.answer = () => ({ body: /** @type {string} */ (bodies[n]) });
  }
  for (const [n, peer] of peers.entries()) {
    await until(async () => (await server.view()).offline.includes(peer.baseUrl), {
      what: `the peer that answers ${JSON.stringify(bodies[n])} is offline`,
      timeout: 20_000,
    });
  }
});

test('link-local addresses, where cloud providers serve credentials, are never listed or contacted', async (t) => {
  const engine = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '0.1' });
  const bad = [
    'http://169.254.169.254/',
    'http://169.254.1.2:8080/',
    'http://2852039166/',
    'http://0xa9fea9fe/',
    'http://[fe80::1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://[::ffff:a9fe:a9fe]/',
  ];
  for (const url of bad) {
    await engine.shazbotGossipRequest(SECRET, message([entry(url)], [entry(`${url}dead/`)]));
  }
  const { online, offline } = engine.shazbotGetServerList(true);
  assert.deepEqual([online.map(({ baseUrl }) => baseUrl), offline], [[engine.baseUrl], []]);
  if (process.platform !== 'linux') return;
  await during(2_000, () => assert.doesNotMatch(readFileSync('/proc/self/net/tcp', 'utf8'), /FEA9FEA9|0201FEA9/));
});

test('repeated starts, also after a shutdown, do not multiply the gossip rounds', async (t) => {
  const peer = await startFakePeer(t);
  const server = await startServer(t, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '0.5' } });
  await Promise.all(Array.from({ length: 5 }, () => server.order('start')));
  await server.order('shutDown');
  await server.order('start');
  await gossip(server.baseUrl, message([peer.entry()]));
  await until(() => peer.received.length > 10, { what: 'eleven rounds' });
  const ms = Number(peer.received[10]?.at) - Number(peer.received[0]?.at);
  assert.ok(ms > 3_500, `ten rounds at an interval of 0.5 s took only ${ms} ms`);
});

test('two halves that listed each other offline during a partition find each other again automatically', async (t) => {
  const network = await startNetwork(t);
  const { env } = fileList();
  // The master list is read at the start only, so that it cannot join the halves.
  const announce = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '86400', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '86400' };
  const servers = await Promise.all(
    (await freePorts(4)).map(async (port) => {
      return startServer(t, { port, env: { ...env, ...announce, ...(await network.attach(port)) } });
    }),
  );
  await agree(servers, { online: servers });
  await untilGossiped(servers);
  assert.ok(network.carried() > 0, "the exchanges go through the test's network");

  const left = servers.slice(0, 2);
  const right = servers.slice(2);
  const half = new Map(servers.map((server) => [server.port, left.includes(server)]));
  network.only((from, to) => half.get(from) === half.get(to));
  await Promise.all([
    agree(
      left,
      { online: left, offline: right },
      { what: 'the left half lists the right half offline', timeout: 20_000 },
    ),
    agree(
      right,
      { online: right, offline: left },
      { what: 'the right half lists the left half offline', timeout: 20_000 },
    ),
  ]);
  network.heal();
  await agree(servers, { online: servers }, { what: 'all servers list each other again', timeout: 20_000 });
});

test('gossip rounds prefer monitors', async (t) => {
  const engine = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '0.1' });
  const monitor = await startFakePeer(t, { monitor: true });
  const others = await Promise.all(Array.from({ length: 5 }, () => startFakePeer(t)));
  const peers = [monitor, ...others];
  await engine.shazbotGossipRequest(SECRET, message(peers.map((peer) => peer.entry())));
  const messages = () => peers.reduce((sum, peer) => sum + peer.received.length, 0);
  await until(() => messages() >= 480, { timeout: 60_000, what: '240 exchanges' });
  // Without preference the share is a sixth, with it more than a third. Each exchange has two messages, since the peer
  // does not know the servers in the first one. The standard deviation of the share in 240 exchanges is a thirtieth.
  const share = monitor.received.length / messages();
  assert.ok(share > 0.24, `the monitor got ${monitor.received.length} of ${messages()} messages`);
  for (const other of others) assert.ok(other.received.length > 0, 'the other servers are contacted too');
});
