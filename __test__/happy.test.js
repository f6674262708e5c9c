'use strict';

// The registration with happy-server, which reads extensions from two global objects.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { beforeEach, test } = require('node:test');

const { environment, fileList, urls } = require('../harness/cluster.js');
const { freshEngine, startEngine, withEnvironment } = require('../harness/engine.js');
const { unusedUrl } = require('../harness/fake-peer.js');
const { entry, message } = require('../harness/gossip.js');
const { until } = require('../harness/until.js');

const NOT_STARTED = { status: 'error', error: 'Clustershazbot engine not started' };

const happy = /** @type {{ happyServerExtension?: any, happyServerQuickExtension?: any }} */ (globalThis);

beforeEach(() => {
  delete happy.happyServerExtension;
  delete happy.happyServerQuickExtension;
});

/**
 * Starts an engine that the test has loaded itself.
 *
 * @param {import('node:test').TestContext} t
 * @param {typeof import('..')} engine
 */
async function start(t, engine) {
  const baseUrl = await unusedUrl();
  const env = { ...environment(baseUrl), ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '3600' };
  t.after(() => engine.shazbotShutDown());
  await withEnvironment(env, () => engine.shazbotStart());
  return baseUrl;
}

test('if happy-server was imported before, it has the lists from the start on, and an error before', async (t) => {
  happy.happyServerExtension = {};
  const engine = freshEngine();
  assert.deepEqual(happy.happyServerExtension.clustershazbot(), NOT_STARTED);

  const baseUrl = await start(t, engine);
  const dead = await unusedUrl();
  await engine.shazbotGossipRequest('the-gossip-secret', message([], [entry(dead)]));
  const { status, cluster } = happy.happyServerExtension.clustershazbot();
  assert.equal(status, 'ok');
  assert.deepEqual([urls(cluster.online), urls(cluster.offline)], [[baseUrl], [dead]]);
  for (const one of [...cluster.online, ...cluster.offline]) {
    assert.deepEqual(Object.keys(one).sort(), ['baseUrl', 'lastUpdate', 'monitor']);
  }

  await engine.shazbotShutDown();
  assert.deepEqual(happy.happyServerExtension.clustershazbot(), NOT_STARTED);
});

test('if happy-server is imported later, the extension is registered within seconds', async () => {
  freshEngine();
  happy.happyServerExtension = {};
  await until(() => happy.happyServerExtension.clustershazbot, { timeout: 4_000, what: 'the extension is registered' });
  assert.deepEqual(happy.happyServerExtension.clustershazbot(), NOT_STARTED);
});

test('if happy-server is imported before the start, the extension is registered at the start', async (t) => {
  const engine = freshEngine();
  happy.happyServerExtension = {};
  const baseUrl = await start(t, engine);
  assert.deepEqual(urls(happy.happyServerExtension.clustershazbot().cluster.online), [baseUrl]);
});

test('the quick check is true while the engine runs, and false before and after', async (t) => {
  happy.happyServerExtension = {};
  happy.happyServerQuickExtension = {};
  const engine = freshEngine();
  assert.equal(happy.happyServerQuickExtension.clustershazbot(), false);
  await start(t, engine);
  assert.equal(happy.happyServerQuickExtension.clustershazbot(), true);
  await engine.shazbotShutDown();
  assert.equal(happy.happyServerQuickExtension.clustershazbot(), false);
});

test('other extensions stay as they are, and the extension returns copies of the lists', async (t) => {
  const other = () => 'other';
  happy.happyServerExtension = { other };
  await startEngine(t);
  assert.equal(happy.happyServerExtension.other, other);
  happy.happyServerExtension.clustershazbot().cluster.online.length = 0;
  assert.equal(happy.happyServerExtension.clustershazbot().cluster.online.length, 1);
});

test('without happy-server no global variable is set', async (t) => {
  await startEngine(t);
  assert.equal('happyServerExtension' in globalThis || 'happyServerQuickExtension' in globalThis, false);
});

test('global variables of these names that are not objects stay as they are', async (t) => {
  for (const odd of ['text', 7, null, true]) {
    happy.happyServerExtension = odd;
    happy.happyServerQuickExtension = odd;
    const engine = freshEngine();
    await start(t, engine);
    assert.equal(engine.shazbotGetServerList().online.length, 1);
    await engine.shazbotShutDown();
    assert.deepEqual([happy.happyServerExtension, happy.happyServerQuickExtension], [odd, odd]);
  }
});

test('waiting for happy-server does not keep a process alive', () => {
  const program = `
    require(process.argv[1]);
    const since = Date.now();
    process.on('exit', () => console.log(Date.now() - since));
  `;
  const { stdout } = spawnSync(process.execPath, ['-e', program, path.join(__dirname, '..')], { encoding: 'utf8' });
  assert.match(stdout, /^\d+\n$/);
  assert.ok(Number(stdout) < 2_500, `the process ended ${stdout.trim()} ms after the import`);
});
