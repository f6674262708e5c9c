'use strict';

// The errors of the public functions: their code, status and message.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { CONTROL_SECRET, SECRET, fileList, startServer } = require('../harness/cluster.js');
const { freshEngine, startEngine, withEnvironment } = require('../harness/engine.js');
const { gossip, message } = require('../harness/gossip.js');
const { request } = require('../harness/http.js');

const NOT_STARTED = { code: 'SHAZBOT_NOT_STARTED', status: 503, message: 'Clustershazbot engine not started' };

/** @typedef {{ code: string, status: number, message?: string }} Expected */

/**
 * Asserts that this is an error of the package with these properties, without a secret in it.
 *
 * @param {unknown} error
 * @param {Expected} expected
 */
function assertShazbotError(error, { code, status, message: text }) {
  assert.ok(error instanceof Error);
  const actual = /** @type {import('..').ShazbotError} */ (error);
  assert.deepEqual([actual.code, actual.status, actual.statusCode, actual.expose], [code, status, status, true]);
  if (text !== undefined) assert.equal(actual.message, text);
  for (const secret of [SECRET, CONTROL_SECRET]) assert.ok(!`${actual.message}${actual.stack}`.includes(secret));
}

/**
 * @param {() => Promise<unknown>} call
 * @param {Expected} expected
 */
async function rejects(call, expected) {
  // A synchronous throw would bypass the `.catch` of a program.
  const promise = call();
  assert.ok(promise instanceof Promise);
  await assert.rejects(promise, (error) => {
    assertShazbotError(error, expected);
    return true;
  });
}

test('before the start every other call fails with SHAZBOT_NOT_STARTED', async () => {
  const engine = freshEngine();
  await rejects(() => engine.shazbotGossipRequest(SECRET, message()), NOT_STARTED);
  await rejects(() => engine.shazbotListRequest(CONTROL_SECRET), NOT_STARTED);
  await rejects(() => engine.shazbotControlRequest(CONTROL_SECRET, { message: 'control', online: true }), NOT_STARTED);
  for (const all of [undefined, false, true]) {
    assert.throws(
      () => engine.shazbotGetServerList(all),
      (error) => {
        assertShazbotError(error, NOT_STARTED);
        return true;
      },
    );
  }
});

test('a wrong secret is rejected with SHAZBOT_UNAUTHORIZED and status 401', async (t) => {
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

test('an invalid body is rejected with SHAZBOT_INVALID_MESSAGE and status 400, if the secret is right', async (t) => {
  const engine = await startEngine(t);
  const invalid = { code: 'SHAZBOT_INVALID_MESSAGE', status: 400 };
  const noBody = /** @type {any} */ (undefined);
  await rejects(() => engine.shazbotGossipRequest(SECRET, noBody), invalid);
  await rejects(() => engine.shazbotControlRequest(CONTROL_SECRET, noBody), invalid);
  const unauthorized = { code: 'SHAZBOT_UNAUTHORIZED', status: 401 };
  await rejects(() => engine.shazbotGossipRequest('', noBody), unauthorized);
  await rejects(() => engine.shazbotControlRequest('', noBody), unauthorized);
});

test('an invalid configuration is rejected with SHAZBOT_INVALID_CONFIG and status 500, and nothing is started', async () => {
  const engine = freshEngine();
  await rejects(() => withEnvironment({}, () => engine.shazbotStart()), {
    code: 'SHAZBOT_INVALID_CONFIG',
    status: 500,
  });
  assert.throws(() => engine.shazbotGetServerList(), NOT_STARTED);
});

test('functions that return a promise never throw synchronously, whatever their arguments', async (t) => {
  const engine = await startEngine(t);
  const circular = /** @type {any} */ ({ message: 'gossip' });
  circular.online = [circular];
  const proxy = new Proxy(
    {},
    { get: () => assert.fail('a proxy trap was called'), ownKeys: () => assert.fail('a proxy trap was called') },
  );
  const getter = {
    message: 'gossip',
    get online() {
      throw new Error('a getter');
    },
  };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const values = /** @type {any[]} */ ([
    Symbol('s'),
    1n,
    () => 1,
    proxy,
    getter,
    circular,
    revoked.proxy,
    new Map(),
    NaN,
  ]);
  for (const value of values) {
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

test('Express answers with the status of an error that the route does not catch', async (t) => {
  const server = await startServer(t, { env: { ...fileList().env, TEST_START: 'no' } });
  const plain = `${server.baseUrl}plain/`;
  const list = () => request(`${plain}clustershazbot/list`);
  assert.deepEqual([(await gossip(plain, message())).status, (await list()).status], [503, 503]);
  await server.order('start');
  assert.equal((await list()).status, 200);
  const rejected = await gossip(plain, message(), { authorization: 'wrong' });
  assert.deepEqual([rejected.status, rejected.json.error], [401, 'Unauthorized: Invalid SHAZBOT_SECRET']);
  assert.equal((await gossip(plain, {})).status, 400);
  assert.equal((await gossip(plain, message())).status, 200);
});
