'use strict';

// Readiness: who is offered work, the health route, waiting for servers, and a shutdown that drains first.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { freshEngine, startEngine } = require('../harness/engine.js');
const { request } = require('../harness/http.js');
const { until } = require('../harness/until.js');

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

/** @param {Server} server */
async function health({ local }) {
  const { status, json } = await request(`${local}clustershazbot/health`);
  return `${status} ${json.status}`;
}

/** The base URLs of the servers that a server would offer work. @param {Server} server */
async function offered(server) {
  /** @type {import('..').ShazbotServer[]} */
  const servers = await server.order('call', 'shazbotServers');
  return servers.filter(({ ready }) => ready).map(({ baseUrl }) => baseUrl);
}

describe('a server that is not ready', () => {
  const env = { TEST_ROUTER: 'yes', SHAZBOT_GOSSIP_INTERVAL: '30' };

  test('stays online, is offered to nobody within a second, and is again once it is ready', async (t) => {
    const servers = await startServers(t, 3, { env: { ...fileList().env, ...env } });
    await agree(servers, { online: servers });
    const [first, ...others] = /** @type {[Server, ...Server[]]} */ (servers);
    for (const isReady of [false, true, false]) {
      await first.order('call', 'shazbotReady', isReady);
      await until(
        async () => {
          const lists = await Promise.all(servers.map(offered));
          return lists.every((list) => list.length === (isReady ? 3 : 2) && list.includes(first.baseUrl) === isReady);
        },
        { timeout: 1_500, every: 10, what: `all know that it is ${isReady ? '' : 'not '}ready` },
      );
    }
    await agree(servers, { online: servers });
    for (const { events } of others) {
      const told = events.filter(({ type, baseUrl }) => type === 'ready' && baseUrl === first.baseUrl);
      assert.deepEqual(
        told.map(({ ready }) => ready),
        [false, true, false],
      );
    }
    const { members } = await first.order('call', 'shazbotStatus');
    const ready = members.map((/** @type {import('..').MemberStatus} */ it) => [
      it.baseUrl === first.baseUrl,
      it.ready,
    ]);
    assert.deepEqual(ready.sort(), [
      [false, true],
      [false, true],
      [true, false],
    ]);
  });

  test('is what SHAZBOT_READY=manual starts', async (t) => {
    const { shazbotPick, shazbotReady, shazbotServers } = await startEngine(t, { SHAZBOT_READY: 'manual' });
    assert.deepEqual([shazbotPick(), shazbotServers()[0]?.ready], [undefined, false]);
    shazbotReady();
    await until(() => shazbotPick()?.self, { what: 'it is ready' });
  });

  test('cannot be started with another word than manual', async (t) => {
    await assert.rejects(startEngine(t, { SHAZBOT_READY: 'false' }), /SHAZBOT_READY: it must be empty or manual/);
  });
});

test('the health route says whether a server may be given work, to anybody and without names', async (t) => {
  const { env } = fileList();
  const server = await startServer(t, { env: { ...env, TEST_ROUTER: 'yes', SHAZBOT_LIST_AUTH: 'required' } });
  assert.equal(await health(server), '200 ready');
  await server.order('call', 'shazbotReady', false);
  await until(async () => (await health(server)) === '503 not ready', { what: 'it is not ready' });
  await server.order('call', 'shazbotReady', true);
  await server.drain();
  assert.equal(await health(server), '503 drained');
  await server.undrain();
  await until(async () => (await health(server)) === '200 ready', { what: 'it is ready', timeout: 3_000 });
  const { headers, json } = await request(`${server.local}clustershazbot/health`, { method: 'HEAD' });
  assert.deepEqual([headers['cache-control'], json], ['no-store', undefined]);
  await server.order('shutDown');
  assert.equal(await health(server), '503 not started');
});

test('a shutdown that drains first answers requests until the time is over, while the others list it as drained', async (t) => {
  const servers = await startServers(t, 2, { env: { ...fileList().env, TEST_ROUTER: 'yes' } });
  await agree(servers, { online: servers });
  const [first, second] = /** @type {[Server, Server]} */ (servers);
  const since = Date.now();
  const over = first.order('call', 'shazbotShutDown', { drainFor: 1_000 });
  await agree([second], { online: [second], offline: [first] }, { timeout: 900 });
  assert.equal(await health(first), '503 drained');
  assert.equal((await request(`${first.local}ordinary`)).status, 200);
  await over;
  assert.ok(Date.now() - since >= 1_000, 'it waits');
  assert.equal(await health(first), '503 not started');
  await until(async () => (await second.order('call', 'shazbotStatus')).members.some(isLeft), { what: 'it has left' });
});

/** @param {import('..').MemberStatus} member */
const isLeft = ({ reason }) => reason === 'left';

test('a shutdown takes what a listener is called with for no options, and refuses a wrong time', async (t) => {
  const { shazbotShutDown } = await startEngine(t);
  await assert.rejects(shazbotShutDown({ drainFor: -1 }), TypeError);
  await assert.rejects(shazbotShutDown({ drainFor: Number.NaN }), TypeError);
  await shazbotShutDown(/** @type {any} */ ('SIGTERM'));
  await shazbotShutDown(/** @type {any} */ (null));
});

describe('shazbotWaitFor', () => {
  test('resolves with the servers as soon as there are enough that match', async (t) => {
    const { env } = fileList();
    const server = await startServer(t, { env: { ...env, SHAZBOT_TAGS: 'role=api' } });
    const found = server.order('call', 'shazbotWaitFor', { online: 2, where: { role: 'db' }, timeout: 20_000 });
    await startServers(t, 2, { env: { ...env, SHAZBOT_TAGS: 'role=db' } });
    assert.deepEqual(
      (await found).map((/** @type {import('..').ShazbotServer} */ it) => it.tags),
      [{ role: 'db' }, { role: 'db' }],
    );
  });

  test('rejects when the time is over, without an engine, and when the engine ends', async (t) => {
    await assert.rejects(freshEngine().shazbotWaitFor(), { code: 'SHAZBOT_NOT_STARTED' });
    const { shazbotShutDown, shazbotWaitFor } = await startEngine(t);
    assert.equal((await shazbotWaitFor()).length, 1);
    await assert.rejects(shazbotWaitFor({ online: 2, timeout: 50 }), { code: 'SHAZBOT_TIMEOUT', status: 503 });
    const ended = assert.rejects(shazbotWaitFor({ online: 2 }), { code: 'SHAZBOT_NOT_STARTED' });
    await shazbotShutDown();
    await ended;
  });
});
