'use strict';

// The configuration in environment variables: which values are valid, and which error names the others.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { inspect } = require('node:util');

const { agree, environment, fileList, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { catchWarnings, freshEngine, withEnvironment } = require('../harness/engine.js');
const { unusedUrl, startFakePeer } = require('../harness/fake-peer.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/** @typedef {import('node:test').TestContext} TestContext */
/** @typedef {Record<string, string | undefined>} Environment */

/**
 * A valid configuration. Nothing listens at the master list's URL: these tests do not need a master list.
 *
 * @returns {Promise<Record<string, string>>}
 */
async function validConfig() {
  const store = await unusedUrl('servers.json');
  return {
    ...environment(await unusedUrl()),
    SHAZBOT_GOSSIP_INTERVAL: '60',
    SHAZBOT_MASTER_LIST: store,
    SHAZBOT_MASTER_LIST_UPDATE: store,
    SHAZBOT_MASTER_LIST_UPDATE_AUTH: 'Bearer the-update-secret',
  };
}

/**
 * Starts with a valid configuration changed by these variables, and returns the error with which the start is rejected.
 *
 * @param {Environment} changes
 * @returns {Promise<import('..').ShazbotError>}
 */
async function startError(changes) {
  const engine = freshEngine();
  const env = { ...(await validConfig()), ...changes };
  try {
    await withEnvironment(env, () => engine.shazbotStart());
  } catch (error) {
    const shazbotError = /** @type {import('..').ShazbotError} */ (error);
    assert.equal(shazbotError.code, 'SHAZBOT_INVALID_CONFIG', shazbotError.message);
    return shazbotError;
  }
  await engine.shazbotShutDown();
  assert.fail(`the start was not rejected: ${inspect(changes)}`);
}

/**
 * Starts with a valid configuration changed by these variables.
 *
 * @param {TestContext} t
 * @param {Environment} changes
 */
async function startWith(t, changes) {
  const engine = freshEngine();
  const env = { ...(await validConfig()), ...changes };
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
  test(`a missing ${name} is reported in the words of version 1`, async () => {
    const { message } = await startError({ [name]: undefined });
    assert.ok(message.includes(`Environment variable ${name} is required`), message);
  });
}

for (const name of REQUIRED) {
  test(`an empty ${name} counts as missing`, async () => {
    const { message } = await startError({ [name]: '' });
    assert.ok(message.includes(`Environment variable ${name} is required`), message);
  });
}

test('with nothing set, one error names all required variables', async () => {
  const unset = Object.fromEntries(Object.keys(await validConfig()).map((name) => [name, undefined]));
  const { message } = await startError(unset);
  for (const name of ['SHAZBOT_SECRET', 'SHAZBOT_CONTROL_SECRET', 'SHAZBOT_BASE_URL', 'SHAZBOT_MASTER_LIST']) {
    assert.ok(message.includes(name), `${name} in: ${message}`);
  }
  assert.ok(!message.includes('SHAZBOT_GOSSIP_INTERVAL'), 'optional variables are not named');
});

test('one error names every missing or invalid variable, with the reason', async () => {
  const { message } = await startError({
    SHAZBOT_SECRET: undefined,
    SHAZBOT_BASE_URL: 'ftp://a.test/',
    SHAZBOT_GOSSIP_INTERVAL: 'abc',
    SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '-1',
  });
  assert.ok(message.includes('SHAZBOT_SECRET'), message);
  assert.match(message, /SHAZBOT_BASE_URL: /);
  assert.ok(message.includes('SHAZBOT_GOSSIP_INTERVAL: "abc" is not a number of seconds'), message);
  assert.match(message, /SHAZBOT_MASTER_ANNOUNCE_MINIMUM: /);
  assert.ok(!message.includes('SHAZBOT_CONTROL_SECRET'), 'valid variables are not named');
});

/** Seconds: valid values, and values outside the limits. */
const DURATIONS = {
  SHAZBOT_GOSSIP_INTERVAL: { valid: ['0.1', '0.5', '30', '3600', '1e1'], outside: ['0', '0.09', '3601'] },
  SHAZBOT_MASTER_ANNOUNCE_MINIMUM: { valid: ['0.5', '300', '86400'], outside: ['86401'] },
  SHAZBOT_MASTER_ANNOUNCE_INTERVAL: { valid: ['0.5', '600', '86400'], outside: ['86401'] },
};

for (const [name, { valid, outside }] of Object.entries(DURATIONS)) {
  test(`${name} must be a finite number of seconds within its limits`, async (t) => {
    for (const bad of ['abc', '30s', '1,5', 'NaN', 'Infinity', '-Infinity', '1e999', '-1', ...outside]) {
      const { message } = await startError({ [name]: bad });
      assert.ok(message.includes(`${name}: "${bad}"`), message);
    }
    for (const value of valid) await startWith(t, { [name]: value });
  });
}

test('an interval that is not a number starts nothing: no peer and no master list is contacted', async (t) => {
  const peer = await startFakePeer(t);
  const store = await startStore(t, { list: { online: [peer.entry()] } });
  await startError({ ...store.env, SHAZBOT_GOSSIP_INTERVAL: 'abc' });
  await during(1_000, () => assert.equal(peer.connections + store.calls.length, 0));
});

test('an empty optional variable has its default value', async (t) => {
  const { engine } = await startWith(t, {
    SHAZBOT_GOSSIP_INTERVAL: '',
    SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '',
    SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '',
    SHAZBOT_MONITOR: '',
    SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN: '',
  });
  assert.equal(engine.shazbotStatus().interval, 30);
  assert.equal(engine.shazbotGetServerList().online[0]?.monitor, false);
});

test('a flag is on if it is "true" in upper or lower case, and off otherwise', async (t) => {
  for (const [value, monitor] of /** @type {const} */ ([
    ['true', true],
    ['TRUE', true],
    ['True', true],
    ['1', false],
    ['yes', false],
    ['false', false],
    [undefined, false],
  ])) {
    const { engine } = await startWith(t, { SHAZBOT_MONITOR: value });
    assert.equal(engine.shazbotGetServerList().online[0]?.monitor, monitor, value);
  }
});

test('URLs must be absolute http or https URLs, and only those of the master list may be file: URLs', async (t) => {
  const list = fileList();
  const url = ['SHAZBOT_BASE_URL', 'SHAZBOT_MASTER_LIST', 'SHAZBOT_MASTER_LIST_UPDATE'];
  for (const name of url) {
    for (const bad of ['localhost:3000', '/servers', 'servers.json', 'ftp://a.test/', 'http://', 'not a URL']) {
      const { message } = await startError({ [name]: bad });
      assert.match(message, new RegExp(`${name}: `), bad);
    }
  }
  const { message } = await startError({ SHAZBOT_BASE_URL: list.env.SHAZBOT_MASTER_LIST });
  assert.match(message, /SHAZBOT_BASE_URL: /);
  for (const [configured, listed] of Object.entries({
    'http://one.test:3000': 'http://one.test:3000/',
    'HTTPS://ONE.test:443/': 'https://one.test/',
    'http://one.test/behind/a/path': 'http://one.test/behind/a/path/',
  })) {
    const { engine } = await startWith(t, { SHAZBOT_BASE_URL: configured });
    assert.deepEqual(
      engine.shazbotGetServerList().online.map(({ baseUrl }) => baseUrl),
      [listed],
    );
  }
});

test('with a file: master list the two variables for updating it may be missing', async (t) => {
  const { env } = fileList();
  await startWith(t, { ...env, SHAZBOT_MASTER_LIST_UPDATE: undefined, SHAZBOT_MASTER_LIST_UPDATE_AUTH: undefined });
});

test('an empty SHAZBOT_MASTER_LIST_UPDATE_AUTH is allowed', async (t) => {
  await startWith(t, { SHAZBOT_MASTER_LIST_UPDATE_AUTH: '' });
});

test('no error or warning contains a secret', async (t) => {
  const warnings = catchWarnings(t);
  const secrets = {
    SHAZBOT_SECRET: 'hush-one',
    SHAZBOT_CONTROL_SECRET: 'hush-two',
    SHAZBOT_MASTER_LIST_UPDATE_AUTH: 'Bearer hush-three',
  };
  const wrong = { SHAZBOT_GOSSIP_INTERVAL: 'abc', SHAZBOT_BASE_URL: 'nowhere' };
  const errors = [await startError({ ...secrets, ...wrong })];
  // Secrets that cannot be sent in a header may be errors of their own.
  for (const name of Object.keys(secrets)) {
    errors.push(
      await startError({ ...secrets, ...wrong, [name]: 'hush\nfour' }),
      await startError({ ...secrets, ...wrong, [name]: '\u007fhush' }),
    );
  }
  const text = inspect([errors, warnings, errors.map((error) => [error.message, error.stack, JSON.stringify(error)])], {
    depth: 9,
  });
  assert.ok(!text.includes('hush'), text);
});

test('each start reads the configuration again', async (t) => {
  const { engine } = await startWith(t, { SHAZBOT_MONITOR: 'false' });
  await engine.shazbotShutDown();
  /** @type {Record<string, string>} */
  const env = { ...(await validConfig()), SHAZBOT_MONITOR: 'true' };
  await withEnvironment(env, () => engine.shazbotStart());
  const [own] = engine.shazbotGetServerList().online;
  assert.deepEqual([own?.baseUrl, own?.monitor], [env.SHAZBOT_BASE_URL, true]);
});

test('after a rejected start, a start with a valid configuration works', async (t) => {
  const engine = freshEngine();
  const env = await validConfig();
  await assert.rejects(withEnvironment({ ...env, SHAZBOT_SECRET: '' }, () => engine.shazbotStart()));
  t.after(() => engine.shazbotShutDown());
  await withEnvironment(env, () => engine.shazbotStart());
  assert.equal(engine.shazbotGetServerList().online.length, 1);
});

test('the request handlers work as soon as shazbotStart was called', async (t) => {
  const engine = freshEngine();
  const slow = await startStore(t);
  slow.faults.GET = 'slow';
  const env = { ...(await validConfig()), ...slow.env };
  t.after(() => engine.shazbotShutDown());
  const start = withEnvironment(env, () => engine.shazbotStart());
  assert.equal(engine.shazbotGetServerList().online.length, 1);
  assert.equal((await engine.shazbotListRequest('')).online.length, 1);
  await start;
});

test('servers with base URLs without a final slash form one cluster', async (t) => {
  const store = await startStore(t);
  const servers = await startServers(t, 2, { env: store.env });
  for (const server of servers) {
    await server.kill();
    server.env.SHAZBOT_BASE_URL = server.baseUrl.slice(0, -1);
  }
  for (const server of servers) await server.restart();
  await agree(servers, { online: servers });
  await until(() => store.servers().length === 2, { what: 'each is in the master list once' });
});
