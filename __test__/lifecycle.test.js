'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { SECRET, environment, fileList } = require('../harness/cluster.js');
const { freshEngine, withEnvironment } = require('../harness/engine.js');
const { nobody } = require('../harness/fake-peer.js');

/** @param {import('../harness/cluster.js').Scope} scope */
async function prepared(scope) {
  const engine = freshEngine();
  scope.after(() => engine.shazbotShutDown());
  /** @type {Record<string, string>} */
  const env = { ...environment(await nobody()), ...fileList().env };
  return { ...engine, env };
}

test('start, shutdown, start, shutdown, none waiting for the other, ends with a shutdown', async (t) => {
  const { shazbotStart, shazbotShutDown, shazbotGetServerList, env } = await prepared(t);
  await withEnvironment(env, () => Promise.all([shazbotStart(), shazbotShutDown(), shazbotStart(), shazbotShutDown()]));
  assert.throws(() => shazbotGetServerList(), { code: 'SHAZBOT_NOT_STARTED' });
});

test('start, shutdown, start, none waiting for the other, ends with a start', async (t) => {
  const { shazbotStart, shazbotShutDown, shazbotGetServerList, env } = await prepared(t);
  await withEnvironment(env, () => Promise.all([shazbotStart(), shazbotShutDown(), shazbotStart()]));
  assert.equal(shazbotGetServerList().online.length, 1);
});

test('a start that two callers share and that fails does not end the one that follows it', async (t) => {
  const { shazbotStart, shazbotGetServerList, env } = await prepared(t);
  const broken = { ...env, NODE_USE_ENV_PROXY: '1', http_proxy: 'no proxy' };
  const shared = withEnvironment(broken, () => [shazbotStart(), shazbotStart()]);
  const again = shared[0].catch(() => withEnvironment(env, () => shazbotStart()));
  await assert.rejects(shared[1], { code: 'SHAZBOT_INVALID_CONFIG' });
  await again;
  assert.equal(shazbotGetServerList().online.length, 1);
});

test('a message of more than 50 000 servers is refused whole', async (t) => {
  const { shazbotStart, shazbotGossipRequest, shazbotGetServerList, env } = await prepared(t);
  await withEnvironment(env, () => shazbotStart());
  const entry = { baseUrl: 'http://127.0.0.1:1/', monitor: false, lastUpdate: Date.now() };
  const online = new Array(50_001).fill(entry);
  const refused = shazbotGossipRequest(SECRET, { message: 'gossip', online });
  await assert.rejects(refused, { code: 'SHAZBOT_TOO_LARGE', status: 413 });
  assert.equal(shazbotGetServerList().online.length, 1);
});

test('more than a thousand messages a second are refused, and the next second is another', async (t) => {
  const { shazbotStart, shazbotGossipRequest, env } = await prepared(t);
  await withEnvironment(env, () => shazbotStart());
  const gossip = () => shazbotGossipRequest(SECRET, { message: 'gossip', online: [] });
  const flood = await Promise.allSettled(Array.from({ length: 2_500 }, gossip));
  const refused = flood.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
  assert.ok(refused.length >= 500, `${refused.length} refused`);
  assert.deepEqual({ code: refused[0].code, status: refused[0].status }, { code: 'SHAZBOT_LIMIT', status: 429 });
  await new Promise((resolve) => setTimeout(resolve, 1_001));
  await gossip();
});
