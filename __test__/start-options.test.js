'use strict';

// What a program passes to `shazbotStart`: configuration in code, `discover`, and the placeholders of the base URL.

const assert = require('node:assert/strict');
const { readFileSync, readdirSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');

const { environment, fileList, urls } = require('../harness/cluster.js');
const { catchWarnings, freshEngine, withEnvironment } = require('../harness/engine.js');
const { startFakePeer, unusedUrl } = require('../harness/fake-peer.js');
const { until } = require('../harness/until.js');
const { fillBaseUrl } = require('../lib/base-url.js');
const { KINDS } = require('../lib/config.js');
const { Project } = require('./support/documents.js');
const { SECRETS, runsTwice } = require('./support/twice.js');

/**
 * Starts an engine, which is shut down with the test.
 *
 * @param {import('node:test').TestContext} t
 * @param {Record<string, string>} env
 * @param {any} options
 */
async function start(t, env, options) {
  const engine = freshEngine();
  t.after(() => engine.shazbotShutDown());
  await withEnvironment(env, () => engine.shazbotStart(options));
  return engine;
}

/**
 * The message with which a start with a valid environment is rejected.
 *
 * @param {any} options
 * @param {Record<string, string>} [changes]
 * @returns {Promise<string>}
 */
async function startError(options, changes) {
  const engine = freshEngine();
  const env = { ...environment('http://127.0.0.1:9/'), ...fileList().env, ...changes };
  const error = await withEnvironment(env, () => engine.shazbotStart(options)).then(
    () => assert.fail('it was not rejected'),
    (error) => error,
  );
  assert.equal(error.code, 'SHAZBOT_INVALID_CONFIG', error.message);
  return error.message;
}

describe('config', () => {
  test('is enough to start, without any variable', async (t) => {
    const baseUrl = await unusedUrl();
    const engine = await start(
      t,
      {},
      {
        config: {
          ...environment(baseUrl),
          SHAZBOT_MASTER_LIST: [fileList().env.SHAZBOT_MASTER_LIST, fileList().env.SHAZBOT_MASTER_LIST],
          SHAZBOT_GOSSIP_INTERVAL: 3600,
          SHAZBOT_MONITOR: true,
        },
      },
    );
    const { monitor, interval, masterLists } = engine.shazbotStatus();
    assert.deepEqual([monitor, interval, masterLists.length], [true, 3600, 2]);
  });

  test('overrides variables, and leaves those alone that it has as undefined', async (t) => {
    const baseUrl = await unusedUrl();
    const env = { ...environment(baseUrl), ...fileList().env, SHAZBOT_MONITOR: 'true' };
    const engine = await start(t, env, { config: { SHAZBOT_GOSSIP_INTERVAL: 7, SHAZBOT_MONITOR: undefined } });
    assert.deepEqual([engine.shazbotStatus().interval, engine.shazbotStatus().monitor], [7, true]);
  });

  test('with an unknown name or a wrong type is rejected, together with what else is wrong, without values', async () => {
    const message = await startError(
      {
        config: { SHAZBOT_SECRT: 'hidden', baseUrl: 'hidden', nonsense: 'hidden', SHAZBOT_MONITOR: { a: 'hidden' } },
        discovr: () => [],
      },
      { SHAZBOT_GOSSIP_INTERVAL: 'abc' },
    );
    for (const part of [
      'unknown option "discovr". Did you mean discover?',
      'unknown setting "SHAZBOT_SECRT". Did you mean SHAZBOT_SECRET?',
      'unknown setting "baseUrl". Did you mean SHAZBOT_BASE_URL?',
      'unknown setting "nonsense"\n',
      'SHAZBOT_MONITOR must be a boolean or a string, not a value of type object',
      'SHAZBOT_GOSSIP_INTERVAL: "abc" is not a number of seconds',
    ]) {
      assert.ok(message.includes(part), `${part}\n${message}`);
    }
    assert.doesNotMatch(message, /hidden/);
  });

  test('and the option tags give this server its tags', async (t) => {
    const env = { ...environment(await unusedUrl()), ...fileList().env };
    const config = { SHAZBOT_TAGS: { role: 'api', zone: 'a' } };
    const engine = await start(t, env, { config, tags: { zone: 'b' } });
    assert.deepEqual(
      engine.shazbotServers().map(({ tags }) => ({ ...tags })),
      [{ role: 'api', zone: 'b' }],
    );
  });

  test('and other options that are wrong are rejected together', async () => {
    const options = { config: { SHAZBOT_GOSSIP_INTERVAL: 'abc' }, tags: { role: 5 }, port: 'abc', discover: 'a' };
    const message = await startError(options, { SHAZBOT_BASE_URL: 'http://a:{port}/' });
    for (const part of [
      'shazbotStart: tags.role must be a string, not 5',
      'shazbotStart: port must be a port number, not "abc"',
      'shazbotStart: discover must be a function, not "a"',
      'SHAZBOT_GOSSIP_INTERVAL: "abc" is not a number of seconds',
    ]) {
      assert.ok(message.includes(part), `${part}\n${message}`);
    }
    assert.doesNotMatch(message, /BASE_URL/);
  });

  test('may be in an instance of a class, by fields or by getters', async (t) => {
    const env = { ...environment(await unusedUrl()), ...fileList().env };
    class WithFields {
      config = { SHAZBOT_GOSSIP_INTERVAL: 7 };
    }
    class WithGetters {
      get tags() {
        return { role: 'api' };
      }
    }
    const engine = await start(t, env, new WithFields());
    assert.equal(engine.shazbotStatus().interval, 7);
    await engine.shazbotShutDown();
    const other = await start(t, env, new WithGetters());
    assert.deepEqual({ ...other.shazbotServers()[0]?.tags }, { role: 'api' });
  });

  test('is ignored if it is what a callback gets, as in programs for version 1', async (t) => {
    const env = { ...environment(await unusedUrl()), ...fileList().env };
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { port: 1 });
    const address = { address: '::', family: 'IPv6', port: 1 };
    // As Bun and Elysia have them.
    const servers = [
      { port: 1, stop() {} },
      { config: {}, listen() {} },
    ].map((it) => Object.assign(new (class Server {})(), it));
    // What `sequelize.sync()` resolves with.
    class Database {
      config = {};
      sync() {}
    }
    const others = ['http://127.0.0.1:3000', new Map(), address, new Database(), ...servers];
    for (const argument of [undefined, null, refused, ...others]) {
      await start(t, env, argument);
    }
  });

  test('has all variables that the engine reads, and SHAZBOT_ENABLED', () => {
    const folder = path.join(__dirname, '../src/config');
    const sources = readdirSync(folder).filter((name) => name !== 'tests.rs');
    const text = sources.map((name) => readFileSync(path.join(folder, name), 'utf8')).join('\n');
    const names = new Set([...text.matchAll(/"(SHAZBOT_[A-Z_]+)"/g)].map(([, name]) => name));
    names.add('SHAZBOT_ENABLED');
    assert.deepEqual(Object.keys(KINDS).sort(), [...names].sort());
    const types = readFileSync(path.join(__dirname, '../index.d.ts'), 'utf8');
    for (const name of names) assert.ok(types.includes(`\n  ${name}?: `), name);
  });
});

describe('SHAZBOT_ENABLED', () => {
  for (const [name, env, options] of /** @type {[string, Record<string, string>, object][]} */ ([
    ['false', { SHAZBOT_ENABLED: 'False', SHAZBOT_BASE_URL: 'wrong' }, {}],
    ['false in code', {}, { config: { SHAZBOT_ENABLED: false } }],
  ])) {
    test(`${name} starts nothing, without any other variable, and lists are empty`, async (t) => {
      const engine = await start(t, env, options);
      assert.deepEqual(engine.shazbotGetServerList(), { online: [] });
      assert.deepEqual(engine.shazbotGetServerList(true), { online: [], offline: [] });
      assert.deepEqual(engine.shazbotEvents.snapshot(), { online: [], offline: [] });
      assert.deepEqual(engine.shazbotServers(), []);
      assert.equal(engine.shazbotPick(), undefined);
      assert.equal(engine.shazbotOwner('key'), undefined);
      assert.deepEqual(engine.shazbotOwners('key', 2), []);
      assert.deepEqual(await engine.shazbotWaitFor({ online: 2 }), []);
      engine.shazbotReady(false);
      engine.shazbotSetTags({ role: 'api' });
      const notStarted = { code: 'SHAZBOT_NOT_STARTED', status: 503 };
      await assert.rejects(engine.shazbotListRequest(''), notStarted);
      assert.throws(() => engine.shazbotStatus(), notStarted);
      await engine.shazbotShutDown();
      assert.throws(() => engine.shazbotGetServerList(), notStarted);
    });
  }

  test('can be true at a later start of the same process', async (t) => {
    const engine = await start(t, { SHAZBOT_ENABLED: 'false' }, {});
    const baseUrl = await unusedUrl();
    const env = { ...environment(baseUrl), ...fileList().env, SHAZBOT_ENABLED: 'true' };
    await withEnvironment(env, () => engine.shazbotStart());
    assert.deepEqual(urls(engine.shazbotGetServerList().online), [baseUrl]);
  });

  test('is true by default, also with NODE_ENV=test, and must be true or false', async () => {
    const engine = freshEngine();
    await assert.rejects(
      withEnvironment({ NODE_ENV: 'test' }, () => engine.shazbotStart()),
      /is required/,
    );
    assert.match(
      await startError({}, { SHAZBOT_ENABLED: 'no' }),
      /SHAZBOT_ENABLED is invalid: it must be true or false/,
    );
  });
});

describe('the base URL', () => {
  /**
   * @param {string} template
   * @param {Record<string, string>} [env]
   * @param {Parameters<typeof fillBaseUrl>[1]} [known]
   */
  const fill = (template, env, known) => fillBaseUrl({ ...env, SHAZBOT_BASE_URL: template }, known);

  test('may have placeholders, which are filled in at the start', async () => {
    /** @type {[string, Record<string, string>, Parameters<typeof fillBaseUrl>[1], string][]} */
    const cases = [
      ['http://{address}:{port}/', { PORT: '80' }, { addresses: ['10.0.0.1'] }, 'http://10.0.0.1:80/'],
      ['http://{address}:{port}/', { PORT: '80' }, { addresses: ['fd00::1'], port: 81 }, 'http://[fd00::1]:81/'],
      ['http://[{address}]:80/', {}, { addresses: ['fd00::1'] }, 'http://[fd00::1]:80/'],
      ['http://{env:POD}.app:80/api/', { POD: 'app-0' }, {}, 'http://app-0.app:80/api/'],
      ['http://{hostname}/', {}, {}, `http://${os.hostname()}/`],
    ];
    for (const [template, env, known, expected] of cases) {
      const { baseUrl, taken, problems } = await fill(template, env, known);
      assert.deepEqual([baseUrl, problems], [expected, []], template);
      assert.ok(taken?.startsWith(`SHAZBOT_BASE_URL is ${expected}: {`), taken);
    }
  });

  test('without placeholders stays as it is', async () => {
    assert.deepEqual(await fill('http://app:3000'), { baseUrl: 'http://app:3000', problems: [] });
  });

  test('has the address from which the first list is reached, or else the first address', async () => {
    const known = { addresses: ['10.255.0.1', '127.0.0.1'] };
    for (const [list, address, why] of [
      ['http://127.0.0.1:8080/servers.json', '127.0.0.1', '127.0.0.1 is reached from it'],
      ['dns+http://localhost:3000/', '127.0.0.1', 'localhost is reached from it'],
      ['file:///tmp/servers.json dns+http://127.0.0.1:3000/', '127.0.0.1', '127.0.0.1 is reached from it'],
      ['dns+http://nobody.invalid:3000/', '10.255.0.1', 'the first'],
    ]) {
      const { baseUrl, taken } = await fill('http://{address}/', { SHAZBOT_MASTER_LIST: String(list) }, known);
      assert.equal(baseUrl, `http://${address}/`, list);
      assert.ok(taken?.includes(String(why)), taken);
    }
  });

  test('with a placeholder that has no value is an error that names it, beside the other errors', async () => {
    assert.deepEqual(await fill(`http://$\{HOST}:3000/{{app}}/`), {
      baseUrl: `http://$\{HOST}:3000/{{app}}/`,
      problems: [],
    });
    for (const [template, problem] of [
      ['http://{address}/', /\{address\}: this machine has no address but loopback ones/],
      ['http://{env:POD}/', /\{env:POD\}: the variable POD is not set/],
      ['http://a:{port}/', /\{port\}: set PORT, or pass the port/],
      ['http://{adress}/', /\{adress\}: there are only \{address\}, \{hostname\}/],
    ]) {
      const { baseUrl, problems } = await fill(String(template), {}, { addresses: [] });
      assert.equal(baseUrl, undefined);
      assert.match(problems.join(), /** @type {RegExp} */ (problem));
    }
    const message = await startError(undefined, { SHAZBOT_BASE_URL: 'http://{env:NOWHERE}/', SHAZBOT_AUTH: 'no' });
    assert.match(message, /\{env:NOWHERE\}: the variable NOWHERE is not set\n.*SHAZBOT_AUTH/s);
    assert.doesNotMatch(message, /placeholder\.invalid|SHAZBOT_BASE_URL is required/);
  });
});

describe('discover', () => {
  test('finds the first servers, without a master list', async (t) => {
    const peer = await startFakePeer(t);
    const config = environment(await unusedUrl());
    const engine = await start(t, {}, { config, discover: async () => [peer.baseUrl.slice(0, -1)] });
    await until(() => peer.received.length > 0, { what: 'the server contacts the one that was discovered' });
    await until(() => engine.shazbotGetServerList().online.length === 2, { what: 'it lists that server' });
  });

  test('is called again after 5 s while this server is alone, and the servers found are contacted at once', async (t) => {
    const peer = await startFakePeer(t);
    const config = { ...environment(await unusedUrl()), SHAZBOT_GOSSIP_INTERVAL: 1 };
    /** @type {number[]} */
    const calls = [];
    const discover = () => {
      calls.push(performance.now());
      return calls.length < 3 ? [] : [peer.baseUrl];
    };
    const engine = await start(t, {}, { config, discover });
    assert.deepEqual(
      engine.shazbotStatus().masterLists.map(({ name, servers, failures }) => [name, servers, failures]),
      [['discover()', 0, 0]],
    );
    await until(() => peer.received.length > 0, { timeout: 14_000, what: 'the server contacts the discovered one' });
    assert.equal(calls.length, 3);
    const [first = 0, second = 0, third = 0] = calls;
    for (const wait of [second - first, third - second]) assert.ok(wait > 4_000 && wait < 7_000, `${wait} ms`);
  });

  test('that fails is one warning, and the start goes on', async (t) => {
    const warnings = catchWarnings(t);
    const config = environment(await unusedUrl());
    let calls = 0;
    const discover = async () => {
      calls += 1;
      throw new Error(`the cloud is away`);
    };
    await start(t, {}, { config, discover });
    await until(() => calls > 1, { timeout: 10_000, what: 'it is called again' });
    const codes = warnings.filter(({ code }) => code === 'SHAZBOT_DISCOVER_FAILED');
    assert.deepEqual(
      codes.map(({ message }) => message.includes('the cloud is away')),
      [true],
    );
  });

  test('that returns something else than URLs is a warning that names it', async (t) => {
    const warnings = catchWarnings(t);
    const config = environment(await unusedUrl());
    await start(t, {}, { config, discover: async () => ['http://127.0.0.1:9/', 'app-1'] });
    await until(() => warnings.some(({ message }) => message.includes('"app-1", not an http')), { what: 'a warning' });
  });

  test('that is slow does not delay a shutdown', async (t) => {
    const engine = freshEngine();
    t.after(() => engine.shazbotShutDown());
    const config = environment(await unusedUrl());
    const discover = () => new Promise((resolve) => setTimeout(resolve, 500, []));
    const starting = withEnvironment({}, () =>
      engine.shazbotStart({ config, discover: /** @type {any} */ (discover) }),
    );
    await engine.shazbotShutDown();
    await starting;
    assert.throws(() => engine.shazbotGetServerList(), { code: 'SHAZBOT_NOT_STARTED' });
  });

  test('that the program does not pass is a failure that says so', async (t) => {
    const env = { ...environment(await unusedUrl()), SHAZBOT_MASTER_LIST: 'discover()' };
    const engine = await start(t, env, {});
    const [list] = engine.shazbotStatus().masterLists;
    assert.match(list?.error ?? '', /passes no function discover/);
  });
});

test('a program without any variable forms a cluster of two', { timeout: 60_000 }, async (t) => {
  const project = new Project();
  t.after(() => project.remove());
  project.write(
    'code.mjs',
    `import { createServer } from 'node:http';
import { shazbotShutDown, shazbotStart } from 'clustershazbot';
import { shazbotRouter } from 'clustershazbot/express';

const [port, list] = process.argv.slice(2);
const server = createServer(shazbotRouter()).listen(Number(port), async () => {
  await shazbotStart({
    port: Number(port),
    config: {
      SHAZBOT_SECRET: '${SECRETS.SHAZBOT_SECRET}',
      SHAZBOT_CONTROL_SECRET: '${SECRETS.SHAZBOT_CONTROL_SECRET}',
      SHAZBOT_BASE_URL: 'http://127.0.0.1:{port}/',
      SHAZBOT_MASTER_LIST: list,
      SHAZBOT_GOSSIP_INTERVAL: 0.5,
    },
  });
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await shazbotShutDown();
    server.close();
  });
}
`,
  );
  await runsTwice(project.folder, ({ PORT, SHAZBOT_MASTER_LIST }) =>
    project.run('code.mjs', {}, [String(PORT), String(SHAZBOT_MASTER_LIST)]),
  );
});
