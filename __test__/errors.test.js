'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { CONTROL_SECRET, SECRET, fileList, startServer } = require('../harness/cluster.js');
const { freshEngine, startEngine, withEnvironment } = require('../harness/engine.js');
const { gossip, message } = require('../harness/gossip.js');
const { request } = require('../harness/http.js');

const NOT_STARTED = { code: 'SHAZBOT_NOT_STARTED', status: 503, message: 'Clustershazbot engine not started' };

/** @typedef {{ code: string, status: number, message?: string }} Expected */

/**
 * @param {unknown} error
 * @param {Expected} expected
 */
function check(error, { code, status, message: text }) {
  assert.ok(error instanceof Error);
  const {
    code: itsCode,
    status: itsStatus,
    statusCode,
    expose,
    stack,
  } = /** @type {import('..').ShazbotError} */ (error);
  assert.deepEqual([itsCode, itsStatus, statusCode, expose], [code, status, status, true]);
  if (text !== undefined) assert.equal(error.message, text);
  for (const secret of [SECRET, CONTROL_SECRET]) assert.ok(!`${error.message}${stack}`.includes(secret));
}

/**
 * @param {() => Promise<unknown>} call
 * @param {Expected} expected
 */
async function rejects(call, expected) {
  // A throw here would be one that a program's `.catch` does not see.
  const promise = call();
  assert.ok(promise instanceof Promise);
  await assert.rejects(promise, (error) => {
    check(error, expected);
    return true;
  });
}

test('before the start every call but start and shutdown fails with SHAZBOT_NOT_STARTED', async () => {
  const engine = freshEngine();
  await rejects(() => engine.shazbotGossipRequest(SECRET, message()), NOT_STARTED);
  await rejects(() => engine.shazbotListRequest(CONTROL_SECRET), NOT_STARTED);
  await rejects(() => engine.shazbotControlRequest(CONTROL_SECRET, { message: 'control', online: true }), NOT_STARTED);
  for (const all of [undefined, false, true]) {
    assert.throws(
      () => engine.shazbotGetServerList(all),
      (error) => {
        check(error, NOT_STARTED);
        return true;
      },
    );
  }
});

test('a wrong secret is SHAZBOT_UNAUTHORIZED, 401', async (t) => {
  const engine = await startEngine(t);
  const unauthorized = { code: 'SHAZBOT_UNAUTHORIZED', status: 401 };
  await rejects(() => engine.shazbotGossipRequest(CONTROL_SECRET, message()), {
    ...unauthorized,
    message: 'Unauthorized: Invalid SHAZBOT_SECRET',
  });
  await rejects(() => engine.shazbotControlRequest(SECRET, { message: 'control', online: true }), {
    ...unauthorized,
    message: 'Unauthorized: Invalid SHAZBOT_CONTROL_SECRET',
  });
});

test('a body that is no message is SHAZBOT_INVALID_MESSAGE, 400, but only for who has the secret', async (t) => {
  const engine = await startEngine(t);
  const invalid = { code: 'SHAZBOT_INVALID_MESSAGE', status: 400 };
  const nothing = /** @type {any} */ (undefined);
  await rejects(() => engine.shazbotGossipRequest(SECRET, nothing), invalid);
  await rejects(() => engine.shazbotControlRequest(CONTROL_SECRET, nothing), invalid);
  const unauthorized = { code: 'SHAZBOT_UNAUTHORIZED', status: 401 };
  await rejects(() => engine.shazbotGossipRequest('', nothing), unauthorized);
  await rejects(() => engine.shazbotControlRequest('', nothing), unauthorized);
});

test('a bad configuration is SHAZBOT_INVALID_CONFIG, 500, and the engine is not started', async () => {
  const engine = freshEngine();
  await rejects(() => withEnvironment({}, () => engine.shazbotStart()), {
    code: 'SHAZBOT_INVALID_CONFIG',
    status: 500,
  });
  assert.throws(() => engine.shazbotGetServerList(), NOT_STARTED);
});

test('whatever the arguments are, a function that returns a promise does not throw', async (t) => {
  const engine = await startEngine(t);
  const circular = /** @type {any} */ ({ message: 'gossip' });
  circular.online = [circular];
  const hostile = new Proxy({}, { get: () => assert.fail('a trap'), ownKeys: () => assert.fail('a trap') });
  const getter = {
    message: 'gossip',
    get online() {
      throw new Error('a getter');
    },
  };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const odd = /** @type {any[]} */ ([
    Symbol('s'),
    1n,
    () => 1,
    hostile,
    getter,
    circular,
    revoked.proxy,
    new Map(),
    NaN,
  ]);
  for (const value of odd) {
    for (const call of [
      () => engine.shazbotGossipRequest(value, value),
      () => engine.shazbotGossipRequest(SECRET, value),
      () => engine.shazbotGossipRequest(SECRET, message([value], [value])),
      () => engine.shazbotControlRequest(value, value),
      () => engine.shazbotControlRequest(CONTROL_SECRET, value),
      () => engine.shazbotListRequest(value),
    ]) {
      const promise = call();
      assert.ok(promise instanceof Promise);
      await promise.catch((error) => assert.ok(error instanceof Error));
    }
  }
  const untyped = /** @type {any} */ (engine);
  for (const name of ['shazbotGossipRequest', 'shazbotControlRequest']) {
    await assert.rejects(untyped[name](), { code: 'SHAZBOT_UNAUTHORIZED' });
  }
  assert.deepEqual(Object.keys(await untyped.shazbotListRequest()), ['online']);
  assert.deepEqual(
    engine.shazbotGetServerList().online.map(({ baseUrl }) => baseUrl),
    [engine.baseUrl],
  );
});

test('Express answers with the status of the error where the route does not catch it', async (t) => {
  const server = await startServer(t, { env: { ...fileList().env, TEST_START: 'no' } });
  const plain = `${server.baseUrl}plain/`;
  const list = () => request(`${plain}clustershazbot/list`);
  assert.deepEqual([(await gossip(plain, message())).status, (await list()).status], [503, 503]);
  await server.order('start');
  assert.equal((await list()).status, 200);
  const refused = await gossip(plain, message(), { authorization: 'wrong' });
  assert.deepEqual([refused.status, refused.json.error], [401, 'Unauthorized: Invalid SHAZBOT_SECRET']);
  assert.equal((await gossip(plain, {})).status, 400);
  assert.equal((await gossip(plain, message())).status, 200);
});
