'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { inspect } = require('node:util');

const { agree, environment, fileList, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { catchWarnings, freshEngine, withEnvironment } = require('../harness/engine.js');
const { nobody, startFakePeer } = require('../harness/fake-peer.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/** @typedef {import('node:test').TestContext} TestContext */
/** @typedef {Record<string, string | undefined>} Environment */

/**
 * A configuration in which nothing is wrong. The master list is an address where nobody listens: whether it can be
 * read does not matter here.
 *
 * @returns {Promise<Record<string, string>>}
 */
async function good() {
  const store = await nobody('servers.json');
  return {
    ...environment(await nobody()),
    SHAZBOT_GOSSIP_INTERVAL: '60',
    SHAZBOT_MASTER_LIST: store,
    SHAZBOT_MASTER_LIST_UPDATE: store,
    SHAZBOT_MASTER_LIST_UPDATE_AUTH: 'Bearer the-update-secret',
  };
}

/**
 * What a start with these variables, over good ones, is rejected with.
 *
 * @param {Environment} changes
 * @returns {Promise<import('..').ShazbotError>}
 */
async function refusal(changes) {
  const engine = freshEngine();
  const env = { ...(await good()), ...changes };
  try {
    await withEnvironment(env, () => engine.shazbotStart());
  } catch (error) {
    const refused = /** @type {import('..').ShazbotError} */ (error);
    assert.equal(refused.code, 'SHAZBOT_INVALID_CONFIG', refused.message);
    return refused;
  }
  await engine.shazbotShutDown();
  assert.fail(`the start was not rejected: ${inspect(changes)}`);
}

/**
 * Starts with these variables, over good ones.
 *
 * @param {TestContext} t
 * @param {Environment} changes
 */
async function accepted(t, changes) {
  const engine = freshEngine();
  const env = { ...(await good()), ...changes };
  t.after(() => engine.shazbotShutDown());
  await withEnvironment(env, () => engine.shazbotStart());
  return { engine, env };
}

const REQUIRED = [
  'SHAZBOT_SECRET',
  'SHAZBOT_CONTROL_SECRET',
  'SHAZBOT_BASE_URL',
  'SHAZBOT_MASTER_LIST',
  'SHAZBOT_MASTER_LIST_UPDATE',
];

for (const name of [...REQUIRED, 'SHAZBOT_MASTER_LIST_UPDATE_AUTH']) {
  test(`where ${name} alone is missing the message is version 1's`, async () => {
    const { message } = await refusal({ [name]: undefined });
    assert.ok(message.includes(`Environment variable ${name} is required`), message);
  });
}

for (const name of REQUIRED) {
  test(`${name} set to nothing is missing`, async () => {
    const { message } = await refusal({ [name]: '' });
    assert.ok(message.includes(`Environment variable ${name} is required`), message);
  });
}

test('with nothing set, one error names all that is required', async () => {
  const none = Object.fromEntries(Object.keys(await good()).map((name) => [name, undefined]));
  const { message } = await refusal(none);
  for (const name of ['SHAZBOT_SECRET', 'SHAZBOT_CONTROL_SECRET', 'SHAZBOT_BASE_URL', 'SHAZBOT_MASTER_LIST']) {
    assert.ok(message.includes(name), `${name} in: ${message}`);
  }
  assert.ok(!message.includes('SHAZBOT_GOSSIP_INTERVAL'), 'what is optional is not named');
});

test('every variable that is missing or invalid is in the one error, with the reason', async () => {
  const { message } = await refusal({
    SHAZBOT_SECRET: undefined,
    SHAZBOT_BASE_URL: 'ftp://a.test/',
    SHAZBOT_GOSSIP_INTERVAL: 'abc',
    SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '-1',
  });
  assert.ok(message.includes('SHAZBOT_SECRET'), message);
  assert.match(message, /SHAZBOT_BASE_URL: /);
  assert.ok(message.includes('SHAZBOT_GOSSIP_INTERVAL: "abc" is not a number of seconds'), message);
  assert.match(message, /SHAZBOT_MASTER_ANNOUNCE_MINIMUM: /);
  assert.ok(!message.includes('SHAZBOT_CONTROL_SECRET'), 'what is right is not named');
});

const NUMBERS = {
  SHAZBOT_GOSSIP_INTERVAL: { good: ['0.1', '0.5', '30', '3600', '1e1'], bad: ['0', '0.09', '3601'] },
  SHAZBOT_MASTER_ANNOUNCE_MINIMUM: { good: ['0.5', '300', '86400'], bad: ['86401'] },
  SHAZBOT_MASTER_ANNOUNCE_INTERVAL: { good: ['0.5', '600', '86400'], bad: ['86401'] },
};

for (const [name, values] of Object.entries(NUMBERS)) {
  test(`${name} is a finite number of seconds within its limits`, async (t) => {
    for (const bad of ['abc', '30s', '1,5', 'NaN', 'Infinity', '-Infinity', '1e999', '-1', ...values.bad]) {
      const { message } = await refusal({ [name]: bad });
      assert.ok(message.includes(`${name}: "${bad}"`), message);
    }
    for (const value of values.good) await accepted(t, { [name]: value });
  });
}

test('an interval that is no number starts nothing: no thousand gossips (11)', async (t) => {
  const peer = await startFakePeer(t);
  const store = await startStore(t, { list: { online: [peer.entry()] } });
  await refusal({ ...store.env, SHAZBOT_GOSSIP_INTERVAL: 'abc' });
  await during(1_000, () => assert.equal(peer.connections + store.calls.length, 0));
});

test('an optional variable that is set to nothing has its default', async (t) => {
  const { engine } = await accepted(t, {
    SHAZBOT_GOSSIP_INTERVAL: '',
    SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '',
    SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '',
    SHAZBOT_MONITOR: '',
    SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN: '',
  });
  assert.equal(engine.shazbotStatus().interval, 30);
  assert.equal(engine.shazbotGetServerList().online[0]?.monitor, false);
});

test('a flag is true in any case, and everything else is false', async (t) => {
  for (const [value, monitor] of /** @type {const} */ ([
    ['true', true],
    ['TRUE', true],
    ['True', true],
    ['1', false],
    ['yes', false],
    ['false', false],
    [undefined, false],
  ])) {
    const { engine } = await accepted(t, { SHAZBOT_MONITOR: value });
    assert.equal(engine.shazbotGetServerList().online[0]?.monitor, monitor, value);
  }
});

test('URLs are absolute, http or https; the master list ones may be file: too', async (t) => {
  const list = fileList();
  const url = ['SHAZBOT_BASE_URL', 'SHAZBOT_MASTER_LIST', 'SHAZBOT_MASTER_LIST_UPDATE'];
  for (const name of url) {
    for (const bad of ['localhost:3000', '/servers', 'servers.json', 'ftp://a.test/', 'http://', 'not a URL']) {
      const { message } = await refusal({ [name]: bad });
      assert.match(message, new RegExp(`${name}: `), bad);
    }
  }
  const { message } = await refusal({ SHAZBOT_BASE_URL: list.env.SHAZBOT_MASTER_LIST });
  assert.match(message, /SHAZBOT_BASE_URL: /);
  for (const [written, listed] of Object.entries({
    'http://one.test:3000': 'http://one.test:3000/',
    'HTTPS://ONE.test:443/': 'https://one.test/',
    'http://one.test/behind/a/path': 'http://one.test/behind/a/path/',
  })) {
    const { engine } = await accepted(t, { SHAZBOT_BASE_URL: written });
    assert.deepEqual(
      engine.shazbotGetServerList().online.map(({ baseUrl }) => baseUrl),
      [listed],
    );
  }
});

test('with a file: master list the two variables of its update may be left out', async (t) => {
  const { env } = fileList();
  await accepted(t, { ...env, SHAZBOT_MASTER_LIST_UPDATE: undefined, SHAZBOT_MASTER_LIST_UPDATE_AUTH: undefined });
});

test('an authorization that is set but empty is allowed', async (t) => {
  await accepted(t, { SHAZBOT_MASTER_LIST_UPDATE_AUTH: '' });
});

test('no value of a secret is in any error or warning', async (t) => {
  const warnings = catchWarnings(t);
  const secrets = {
    SHAZBOT_SECRET: 'hush-one',
    SHAZBOT_CONTROL_SECRET: 'hush-two',
    SHAZBOT_MASTER_LIST_UPDATE_AUTH: 'Bearer hush-three',
  };
  const wrong = { SHAZBOT_GOSSIP_INTERVAL: 'abc', SHAZBOT_BASE_URL: 'nowhere' };
  const errors = [await refusal({ ...secrets, ...wrong })];
  // Values that cannot be sent in a header are wrong in themselves, if the engine looks at them.
  for (const name of Object.keys(secrets)) {
    errors.push(
      await refusal({ ...secrets, ...wrong, [name]: 'hush\nfour' }),
      await refusal({ ...secrets, ...wrong, [name]: '' + ' hush' }),
    );
  }
  const said = inspect([errors, warnings, errors.map((error) => [error.message, error.stack, JSON.stringify(error)])], {
    depth: 9,
  });
  assert.ok(!said.includes('hush'), said);
});

test('the configuration is read at the start, and again at the next one', async (t) => {
  const { engine } = await accepted(t, { SHAZBOT_MONITOR: 'false' });
  await engine.shazbotShutDown();
  /** @type {Record<string, string>} */
  const env = { ...(await good()), SHAZBOT_MONITOR: 'true' };
  await withEnvironment(env, () => engine.shazbotStart());
  const [own] = engine.shazbotGetServerList().online;
  assert.deepEqual([own?.baseUrl, own?.monitor], [env.SHAZBOT_BASE_URL, true]);
});

test('a start that was refused can be repeated with a good configuration', async (t) => {
  const engine = freshEngine();
  const env = await good();
  await assert.rejects(withEnvironment({ ...env, SHAZBOT_SECRET: '' }, () => engine.shazbotStart()));
  t.after(() => engine.shazbotShutDown());
  await withEnvironment(env, () => engine.shazbotStart());
  assert.equal(engine.shazbotGetServerList().online.length, 1);
});

test('handlers work from the moment the start was called', async (t) => {
  const engine = freshEngine();
  const slow = await startStore(t);
  slow.faults.GET = 'slow';
  const env = { ...(await good()), ...slow.env };
  t.after(() => engine.shazbotShutDown());
  const start = withEnvironment(env, () => engine.shazbotStart());
  assert.equal(engine.shazbotGetServerList().online.length, 1);
  assert.equal((await engine.shazbotListRequest('')).online.length, 1);
  await start;
});

test('servers whose base URLs lack the final slash are one cluster', async (t) => {
  const store = await startStore(t);
  const servers = await startServers(t, 2, { env: store.env });
  for (const server of servers) {
    await server.kill();
    server.env.SHAZBOT_BASE_URL = server.baseUrl.slice(0, -1);
  }
  for (const server of servers) await server.restart();
  await agree(servers, { online: servers });
  await until(() => store.servers().length === 2, { what: 'both are in the list, once' });
});
