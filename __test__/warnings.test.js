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
  const discover = async () => {
    if (isAway) throw new Error('the cloud is away');
    return [];
  };
  t.after(() => engine.shazbotShutDown());
  const before = Date.now();
  await withEnvironment({}, () => engine.shazbotStart({ config, discover }));
  const holds = () => engine.shazbotStatus().warnings.find(({ code }) => code === 'SHAZBOT_DISCOVER_FAILED');

  const { message: text, since } = await until(holds, { what: 'it holds' });
  assert.match(text, /^discover failed: the cloud is away/);
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
  assert.equal(given.filter(({ code }) => code === 'SHAZBOT_DISCOVER_FAILED').length, 1);
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
