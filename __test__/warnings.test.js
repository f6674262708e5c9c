'use strict';

// The warnings whose cause holds now: in the status, the metrics and happy-server's page, until the cause is gone.

const assert = require('node:assert/strict');
const { writeFileSync } = require('node:fs');
const { test } = require('node:test');
const client = require('prom-client');

const { environment, fileList, startServer } = require('../harness/cluster.js');
const { catchWarnings, freshEngine, withEnvironment } = require('../harness/engine.js');
const { startFakePeer, unusedUrl } = require('../harness/fake-peer.js');
const { entry, message } = require('../harness/gossip.js');
const { until } = require('../harness/until.js');
const { during } = require('./support/during.js');
const { startStore } = require('./support/store.js');

/** @param {Awaited<ReturnType<typeof startServer>>} server @returns {Promise<import('..').ShazbotWarning[]>} */
const warningsOf = async (server) => (await server.order('call', 'shazbotStatus')).warnings;

test('a warning of a program holds until its cause is gone, and is given again only after a minute', async (t) => {
  const given = catchWarnings(t);
  const engine = freshEngine();
  const happy = /** @type {{ happyServerExtension?: any }} */ (globalThis);
  happy.happyServerExtension = {};
  t.after(() => delete happy.happyServerExtension);
  const config = { ...environment(await unusedUrl()), SHAZBOT_GOSSIP_INTERVAL: 3600 };
  let isAway = true;
  const away = new Error('the cloud is away');
  const discover = async () => {
    if (isAway) throw away;
    return [];
  };
  t.after(() => engine.shazbotShutDown());
  const before = Date.now();
  await withEnvironment({}, () => engine.shazbotStart({ config, discover }));
  const holds = () => engine.shazbotStatus().warnings.find(({ code }) => code === 'SHAZBOT_DISCOVER_FAILED');

  const { message: text, since } = await until(holds, { what: 'it holds' });
  assert.match(text, /^the program's function discover failed: the cloud is away\. It is called again/);
  assert.ok(since >= before - 1_000 && since <= Date.now(), String(since));
  const { shazbotMetrics } = require('../lib/prometheus.js');
  const register = new client.Registry();
  shazbotMetrics({ register });
  assert.match(await register.metrics(), /^clustershazbot_warnings\{code="SHAZBOT_DISCOVER_FAILED"\} 1$/m);
  const page = happy.happyServerExtension.clustershazbot();
  assert.deepEqual([page.status, page.warnings], ['ok', ['SHAZBOT_DISCOVER_FAILED']]);

  isAway = false;
  await until(() => !holds(), { timeout: 15_000, what: 'its end' });
  assert.doesNotMatch(await register.metrics(), /SHAZBOT_DISCOVER_FAILED/);
  isAway = true;
  await until(holds, { timeout: 15_000, what: 'it holds again' });
  const [warning, ...more] = given.filter(({ code }) => code === 'SHAZBOT_DISCOVER_FAILED');
  assert.deepEqual([warning?.cause, more.length], [away, 0]);
});

test('a warning about a peer holds until the peer answers', async (t) => {
  const list = fileList();
  const peer = await startFakePeer(t, { answer: () => ({ status: 401, body: { error: 'Unauthorized: no' } }) });
  writeFileSync(list.file, JSON.stringify(message([entry(peer.baseUrl)])));
  const server = await startServer(t, { env: list.env });
  const refused = async () => (await warningsOf(server)).filter(({ code }) => code === 'SHAZBOT_PEER_REFUSED_SECRET');
  const [warning] = await until(async () => (await refused()).length > 0 && refused(), { what: 'the warning' });
  assert.equal(warning?.subject, peer.baseUrl);
  peer.answer = undefined;
  await until(async () => (await refused()).length === 0, { what: 'its end' });
});

test('servers with and without the name of a cluster form one, and each side warns once', async (t) => {
  const list = fileList();
  const named = { env: { ...list.env, SHAZBOT_CLUSTER: 'prod' } };
  const servers = await Promise.all([named, named, list, list].map(({ env }) => startServer(t, { env })));
  const codes = (/** @type {typeof servers[number]} */ { warnings }) =>
    warnings.filter(({ code }) => code === 'SHAZBOT_CLUSTER_NAME');
  await until(() => servers.every((it) => codes(it).length > 0), { what: 'each has warned' });
  await during(1_500, () => assert.ok(servers.every((it) => codes(it).length === 1)));
  const [with_, , without] = servers.map((it) => codes(it)[0]?.message ?? '');
  assert.match(with_ ?? '', /this server has SHAZBOT_CLUSTER=prod, and http.* has none.*set the same SHAZBOT_CLUSTER/);
  assert.match(without ?? '', /http.* has SHAZBOT_CLUSTER=prod, and this server has none/);
});

test('version 1 servers have no name of a cluster, and nobody warns of that', async (t) => {
  const list = await startStore(t);
  const named = await startServer(t, { env: { ...list.env, SHAZBOT_CLUSTER: 'prod' } });
  const old = await startServer(t, { engine: 'v1', env: list.env });
  await until(async () => (await named.view()).online.includes(old.baseUrl), { what: 'it is listed' });
  const isMeant = (/** @type {{ code?: string }} */ { code }) => code === 'SHAZBOT_CLUSTER_NAME';
  await during(1_500, () => assert.deepEqual(named.warnings.filter(isMeant), []));
});
