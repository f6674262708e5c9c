'use strict';

// Overlapping starts and shutdowns, and the limits on inbound messages.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { SECRET, environment, fileList } = require('../harness/cluster.js');
const { freshEngine, withEnvironment } = require('../harness/engine.js');
const { unusedUrl } = require('../harness/fake-peer.js');
const { until } = require('../harness/until.js');

/**
 * Loads a new engine that is not started, and the environment to start it with.
 *
 * @param {import('../harness/cluster.js').Scope} scope
 */
async function loadEngine(scope) {
  const engine = freshEngine();
  scope.after(() => engine.shazbotShutDown());
  /** @type {Record<string, string>} */
  const env = { ...environment(await unusedUrl()), ...fileList().env };
  return { ...engine, env };
}

test('overlapping calls of start, shutdown, start, shutdown leave the engine shut down', async (t) => {
  const { shazbotStart, shazbotShutDown, shazbotGetServerList, env } = await loadEngine(t);
  await withEnvironment(env, () => Promise.all([shazbotStart(), shazbotShutDown(), shazbotStart(), shazbotShutDown()]));
  assert.throws(() => shazbotGetServerList(), { code: 'SHAZBOT_NOT_STARTED' });
});

test('overlapping calls of start, shutdown, start leave the engine started', async (t) => {
  const { shazbotStart, shazbotShutDown, shazbotGetServerList, env } = await loadEngine(t);
  await withEnvironment(env, () => Promise.all([shazbotStart(), shazbotShutDown(), shazbotStart()]));
  assert.equal(shazbotGetServerList().online.length, 1);
});

test('a failed start that two callers share does not stop the start that follows it', async (t) => {
  const { shazbotStart, shazbotGetServerList, env } = await loadEngine(t);
  const broken = { ...env, NODE_USE_ENV_PROXY: '1', http_proxy: 'no proxy' };
  const shared = withEnvironment(broken, () => [shazbotStart(), shazbotStart()]);
  const again = shared[0].catch(() => withEnvironment(env, () => shazbotStart()));
  await assert.rejects(shared[1], { code: 'SHAZBOT_INVALID_CONFIG' });
  await again;
  assert.equal(shazbotGetServerList().online.length, 1);
});

test('a message with more than 50 000 entries is rejected and none of them is listed', async (t) => {
  const { shazbotStart, shazbotGossipRequest, shazbotGetServerList, env } = await loadEngine(t);
  await withEnvironment(env, () => shazbotStart());
  const entry = { baseUrl: 'http://127.0.0.1:1/', monitor: false, lastUpdate: Date.now() };
  const online = new Array(50_001).fill(entry);
  const answer = shazbotGossipRequest(SECRET, { message: 'gossip', online });
  await assert.rejects(answer, { code: 'SHAZBOT_TOO_LARGE', status: 413 });
  assert.equal(shazbotGetServerList().online.length, 1);
});

test('messages beyond a thousand a second are rejected, and accepted again a second later', async (t) => {
  const { shazbotStart, shazbotGossipRequest, env } = await loadEngine(t);
  await withEnvironment(env, () => shazbotStart());
  const gossip = () => shazbotGossipRequest(SECRET, { message: 'gossip', online: [] });
  const flood = await Promise.allSettled(Array.from({ length: 2_500 }, gossip));
  const errors = flood.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
  assert.ok(errors.length >= 500, `${errors.length} rejected`);
  assert.deepEqual({ code: errors[0].code, status: errors[0].status }, { code: 'SHAZBOT_LIMIT', status: 429 });
  await until(gossip, { timeout: 2_000, what: 'a message is accepted again' });
});
