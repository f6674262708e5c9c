'use strict';

// What the package prints, warns of and sends to its diagnostics channel.

const assert = require('node:assert/strict');
const { existsSync } = require('node:fs');
const { describe, test } = require('node:test');

const { fastClock } = require('./support/clock.js');
const { CONTROL_SECRET, SECRET, agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { catchWarnings, startEngine } = require('../harness/engine.js');
const { unusedUrl, startFakePeer } = require('../harness/fake-peer.js');
const { entry, gossip, message } = require('../harness/gossip.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/**
 * Starts a server that can reach neither its master list nor any of its peers.
 *
 * @param {import('node:test').TestContext} t
 * @param {Record<string, string>} [env]
 */
async function startIsolated(t, env = {}) {
  const store = await startStore(t);
  store.faults = { GET: '500', PUT: '500' };
  const server = await startServer(t, { env: { ...store.env, SHAZBOT_GOSSIP_INTERVAL: '0.2', ...env } });
  const peer = await startFakePeer(t);
  const absent = await unusedUrl();
  await gossip(server.baseUrl, message([peer.entry(), entry(absent)]));
  await until(() => peer.received.length >= 5, { what: 'the peer was contacted in several rounds' });
  await peer.stop();
  await until(async () => (await server.view()).offline.includes(peer.baseUrl), { what: 'the peer is offline' });
  return { server, peer };
}

/** @param {Awaited<ReturnType<typeof startServer>>} server */
function assertSilent(server) {
  assert.deepEqual([server.stdout, server.stderr, server.warnings], ['', '', []]);
}

describe('printed output', { concurrency: true }, () => {
  test('a server prints nothing while its peers and its master list are unreachable', async (t) => {
    const { server } = await startIsolated(t);
    await during(1_000, () => assertSilent(server));
    await server.terminate();
    assertSilent(server);
  });

  test('servers print nothing in a cluster where a server leaves and comes back', async (t) => {
    const servers = await startServers(t, 3, { env: fileList().env });
    await agree(servers, { online: servers });
    const [one, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
    await one.terminate();
    await agree(others, { online: others, offline: [one] });
    await one.restart();
    await agree(servers, { online: servers });
    for (const server of servers) {
      await server.terminate();
      assertSilent(server);
    }
  });

  test('NODE_DEBUG=clustershazbot prints the unreachable peers and master lists, but no secret', async (t) => {
    const { server, peer } = await startIsolated(t, { NODE_DEBUG: 'clustershazbot' });
    await server.terminate();
    const lines = server.stderr.split('\n').filter((line) => line !== '');
    assert.ok(lines.length > 0);
    for (const line of lines) assert.match(line, /^CLUSTERSHAZBOT \d+: /);
    assert.ok(server.stderr.includes(peer.baseUrl), server.stderr);
    assert.match(server.stderr, /master list/);
    for (const secret of [SECRET, CONTROL_SECRET, 'the-update-secret']) assert.ok(!server.stderr.includes(secret));
    assert.equal(server.stdout, '');
  });
});

test('the diagnostics channel clustershazbot:log gets the same records as objects with code and message', async (t) => {
  const { server, peer } = await startIsolated(t);
  await until(() => server.logs.some((log) => log.message.includes('master list')), {
    what: 'a record names the master list',
  });
  assert.ok(server.logs.some((log) => log.message.includes(peer.baseUrl)));
  for (const { code, message: text } of server.logs) {
    assert.match(code, /^[A-Z]+(_[A-Z]+)*$/);
    for (const secret of [SECRET, CONTROL_SECRET, 'the-update-secret']) assert.ok(!text.includes(secret));
  }
});

test('a peer that rejects our secret causes one warning, however many rounds contact it', async (t) => {
  const server = await startServer(t, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '0.1' } });
  const peer = await startFakePeer(t);
  peer.answer = () => ({ status: 401, body: { error: 'Unauthorized: Invalid SHAZBOT_SECRET' } });
  await gossip(server.baseUrl, message([peer.entry()]));
  await until(() => server.warnings.length > 0, { what: 'a warning' });
  // New gossip from the peer keeps it online, so that many rounds contact it.
  const before = peer.received.length;
  await until(
    async () => {
      await gossip(server.baseUrl, message([peer.entry()]));
      return peer.received.length >= before + 8;
    },
    { what: 'eight more rounds contacted the peer', timeout: 20_000 },
  );
  assert.equal(server.warnings.length, 1, JSON.stringify(server.warnings));
  assert.match(server.warnings[0]?.code ?? '', /^SHAZBOT_/);
  assert.ok(server.warnings[0]?.message.includes(peer.baseUrl));
  assert.ok(!server.warnings[0]?.message.includes(SECRET));
  assert.match(server.stderr, /SHAZBOT_/, 'the warning is printed');
});

test('a 401 whose error does not mention the secret causes no warning', async (t) => {
  const server = await startServer(t, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '0.1' } });
  const peer = await startFakePeer(t);
  peer.answer = () => ({ status: 401, body: { error: 'Clustershazbot engine not started' } });
  await gossip(server.baseUrl, message([peer.entry()]));
  await until(() => peer.received.length >= 3, { what: 'the peer was contacted in several rounds' });
  await during(500, () => assert.deepEqual(server.warnings, []));
});

test('a server whose base URL leads to another program stays offline in the other lists, and warns once', async (t) => {
  const list = fileList();
  const env = { ...list.env, ...fastClock(4), SHAZBOT_GOSSIP_INTERVAL: '1' };
  const others = await startServers(t, 2, { env });
  await until(() => existsSync(list.file) && list.servers().length === 2, {
    what: 'the other servers are in the list',
  });
  const elsewhere = await startFakePeer(t, { answer: () => ({ status: 404, body: 'Not Found' }) });
  const warnings = catchWarnings(t);
  await startEngine(t, { ...env, SHAZBOT_BASE_URL: elsewhere.baseUrl });
  const isOffline = async () => (await others[0]?.view())?.offline.includes(elsewhere.baseUrl);
  await until(isOffline, { what: 'another server lists it offline' });
  const unreachable = () => warnings.filter((warning) => warning.code === 'SHAZBOT_UNREACHABLE');
  await until(() => unreachable().length > 0, { what: 'a warning' });
  assert.ok(unreachable()[0]?.message.includes(elsewhere.baseUrl), unreachable()[0]?.message);
  await during(2_000, async () => {
    assert.equal(unreachable().length, 1);
    assert.ok(await isOffline(), 'it stays offline');
  });
});

test('disabled certificate checks cause one warning, even if the engine starts twice', async (t) => {
  const env = { ...fileList().env, NODE_TLS_REJECT_UNAUTHORIZED: '0' };
  const server = await startServer(t, { env });
  const engineWarnings = () => server.warnings.filter((warning) => warning.code?.startsWith('SHAZBOT_'));
  await until(() => engineWarnings().length > 0, { what: 'a warning' });
  await server.order('shutDown');
  await server.order('start');
  await during(1_000, () => assert.equal(engineWarnings().length, 1));
  assert.match(engineWarnings()[0]?.message ?? '', /NODE_TLS_REJECT_UNAUTHORIZED/);
});
