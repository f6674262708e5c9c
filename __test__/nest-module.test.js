'use strict';

// The module for Nest (clustershazbot/nestjs) in a real application, on the Nest versions and platforms it supports.

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');

const { CONTROL_SECRET, SECRET, environment, fileList } = require('../harness/cluster.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { entry, message } = require('../harness/gossip.js');
const { request } = require('../harness/http.js');
const { compileNest } = require('./support/nest.js');
const { agree, apps, projectOf, runToEnd, startProgram, tsc, write } = require('./support/programs.js');
const { until } = require('../harness/until.js');

/** @typedef {Awaited<ReturnType<typeof startProgram>>} Server */

const source = readFileSync(path.join(__dirname, 'integrations', 'nest.ts'), 'utf8');

/** @type {[name: string, app: 'nest11' | 'nest12', env: Record<string, string>][]} */
const variants = [
  ['Nest 11, CommonJS, with decorator metadata', 'nest11', {}],
  ['Nest 12, ES modules, without decorator metadata', 'nest12', {}],
  ['Nest 12, without a body parser', 'nest12', { PARSER: 'no' }],
  ['Nest 12 on Fastify', 'nest12', { PLATFORM: 'fastify' }],
];

describe('the Nest module', () => {
  const list = fileList();
  /** @type {Record<string, string>} */
  const mains = {};
  /** @type {Server[]} */
  const servers = [];

  before(async () => {
    [mains.nest11, mains.nest12] = [await buildWithMetadata(), compileNest('nest', 'nest-module-12')];
    servers.push(...(await Promise.all(variants.map(([, app, env]) => start({ after }, app, env)))));
  });

  /**
   * @param {import('../harness/cluster.js').Scope} scope
   * @param {string} app
   * @param {Record<string, string>} env
   * @param {boolean} [wait]
   */
  function start(scope, app, env, wait) {
    return startProgram(scope, [String(mains[app])], { env: { ...list.env, ...env }, prefix: 'api/', wait });
  }

  test('starts the engine with the application, so that the servers find each other', async () => {
    await agree(servers, { online: servers });
  });

  for (const [n, [name, , { PARSER, PLATFORM }]] of variants.entries()) {
    describe(`on ${name}`, () => {
      const server = () => /** @type {Server} */ (servers[n]);
      /**
       * @param {string} route
       * @param {Parameters<typeof request>[1]} [options]
       */
      const ask = (route, options) => request(`${server().baseUrl}clustershazbot${route}`, options);
      /**
       * Calls a route of the application itself.
       *
       * @param {string} route
       */
      const askApp = (route, method = 'GET') =>
        request(`${server().baseUrl}v1/${route}`, { method, headers: { user: 'me' } });

      test("serves its routes untouched by the application's guard, interceptor, prefix and version", async () => {
        assert.equal((await request(`${server().baseUrl}v1/peers`)).status, 403, "the application's guard");
        const peers = await askApp('peers');
        assert.deepEqual(peers.json.data.sort(), servers.map(({ baseUrl }) => baseUrl).sort());
        const headers = { authorization: SECRET };
        const gossip = await ask('/gossip', { method: 'POST', headers, body: message() });
        assert.deepEqual([gossip.status, gossip.json.message], [200, 'gossip']);
        assert.deepEqual(Object.keys((await ask('/list')).json), ['online']);
        assert.deepEqual(Object.keys(await server().list()), ['online', 'offline']);
        const control = await server().control(true);
        assert.deepEqual([control.status, control.json], [200, { success: true }]);
        for (const { headers } of [gossip, control, await ask('/list')]) {
          assert.equal(headers['cache-control'], 'no-store');
          assert.equal(headers['content-type'], 'application/json; charset=utf-8');
        }
      });

      test('answers a bad request with the matching status and an error', async () => {
        const body = message();
        const unauthorized = await ask('/gossip', { method: 'POST', headers: { authorization: 'wrong' }, body });
        assert.deepEqual(
          [unauthorized.status, unauthorized.json],
          [401, { error: 'Unauthorized: Invalid SHAZBOT_SECRET', code: 'SHAZBOT_UNAUTHORIZED' }],
        );
        const headers = { authorization: SECRET };
        const invalid = await ask('/gossip', { method: 'POST', headers, body: { message: 'gossip' } });
        assert.deepEqual([invalid.status, /online/.test(invalid.json.error)], [400, true]);
        assert.equal((await ask('/gossip', { method: 'POST', headers, body: '{' })).status, 400);
        assert.equal((await ask('/nothing')).status, 404);
        // Express ignores case and Fastify decodes, but a proxy that guards the paths does neither.
        for (const path of ['CLUSTERSHAZBOT/list', 'clustershazbot/LIST', 'clustershazbot/%6cist']) {
          assert.equal((await request(`${server().baseUrl}${path}`)).status, 404, path);
        }
        const put = await ask('/list', { method: 'PUT' });
        assert.deepEqual([put.status, put.headers.allow], [405, 'GET, HEAD, OPTIONS']);
        assert.equal((await ask('/gossip', { method: 'OPTIONS' })).status, 204);
      });

      test('serves the status for the control secret, and the page without a secret', async () => {
        assert.equal((await ask('/status')).status, 401);
        const headers = { authorization: CONTROL_SECRET };
        assert.equal((await ask('/status', { headers })).json.baseUrl, server().baseUrl);
        await until(
          async () => {
            const etag = String((await ask('/status', { headers })).headers.etag);
            return (await ask('/status', { headers: { ...headers, 'if-none-match': etag } })).status === 304;
          },
          { every: 1, what: 'the ETag still matches' },
        );
        // On Fastify, Nest has no route with a trailing slash.
        const pages = await Promise.all((PLATFORM === 'fastify' ? [''] : ['', '/']).map((route) => ask(route)));
        for (const page of pages) assert.equal(page.status, 200);
        const [page] = /** @type {[typeof pages[0]]} */ (pages);
        assert.match(String(page.headers['content-type']), /^text\/html/);
        assert.equal(page.headers['cache-control'], 'no-cache');
      });

      test('drains and undrains the server through ShazbotService', async () => {
        const others = servers.filter((other) => other !== server());
        assert.deepEqual((await askApp('drain', 'POST')).json, { data: 'drained' });
        await agree(servers, { online: others, offline: [server()] });
        assert.deepEqual((await askApp('undrain', 'POST')).json, { data: 'online' });
        await agree(servers, { online: servers });
      });

      test('reports a healthy cluster while enough servers are online', async () => {
        const { status, json } = await askApp('health');
        assert.equal(status, 200);
        assert.deepEqual(json.data.info, { cluster: { status: 'up', online: servers.length } });
      });

      test("applies its own body limit, or that of Express's body parser if there is one", async () => {
        const many = message(
          [],
          Array.from({ length: 1_500 }, (_, i) => entry(`http://127.0.0.1:${30_000 + i}/`)),
        );
        const headers = { authorization: 'wrong' };
        const { status } = await ask('/gossip', { method: 'POST', headers, body: many });
        assert.equal(status, PARSER === 'no' || PLATFORM === 'fastify' ? 401 : 413, 'the parser accepts 100 kB');
      });
    });
  }

  test('prints no warning if shutdown hooks are enabled', () => {
    for (const { stdout, stderr } of servers) assert.doesNotMatch(stdout + stderr, /enableShutdownHooks|WARN/);
  });

  test('leaves the cluster on SIGTERM before the application closes, and then lets the process end', async () => {
    for (const [n, leaver] of servers.entries()) {
      const rest = servers.slice(n + 1);
      leaver.signal('SIGTERM');
      assert.deepEqual(await leaver.ended(), { code: null, signal: 'SIGTERM' });
      assert.match(leaver.stdout, /closed\n/);
      await agree(rest, { online: rest, offline: servers.slice(0, n + 1) });
      // The first is drained before it leaves; the last one leaves at once, since nobody sends it requests.
      for (const { stdout } of rest) assert.match(stdout, new RegExp(`${leaver.baseUrl} drained`), 'the offline event');
    }
  });

  for (const app of ['nest11', 'nest12']) {
    test(`warns if shutdown hooks are not enabled, and serves no page if configured so, on ${app}`, async (t) => {
      const server = await start(t, app, { HOOKS: 'no', PAGE: 'no' });
      await until(() => /WARN.*enableShutdownHooks/.test(server.stdout + server.stderr), { what: 'the warning' });
      for (const route of ['', '/']) {
        assert.equal((await request(`${server.baseUrl}clustershazbot${route}`)).status, 404);
      }
      assert.equal((await request(`${server.baseUrl}clustershazbot/list`)).status, 200);
      const { status, json } = await request(`${server.baseUrl}v1/health`, { headers: { user: 'me' } });
      assert.equal(status, 503);
      const message = 'Servers online: 1, required: at least 2';
      assert.deepEqual(json.error, { cluster: { status: 'down', online: 1, message } });
    });

    test(`writes warnings of the package with the logger of the application, on ${app}`, async (t) => {
      const server = await start(t, app, { SHAZBOT_MONITOR: 'yes' });
      const written = /WARN.*ShazbotModule.*\[SHAZBOT_DOUBTFUL_CONFIG\]/;
      await until(() => written.test(server.stdout + server.stderr), { what: 'the warning' });
    });

    test(`keeps the engine running when another Nest context of the process closes, on ${app}`, async (t) => {
      const server = await start(t, app, { SECOND: 'yes' });
      await until(() => /second context closed/.test(server.stdout), { what: 'the second context is closed' });
      assert.equal((await request(`${server.baseUrl}clustershazbot/list`)).status, 200);
      server.signal('SIGTERM');
      await server.ended();
      assert.match(server.stdout, new RegExp(`${server.baseUrl} left`));
    });

    test(`fails the start of the application if a required variable is empty, on ${app}`, async (t) => {
      const server = await start(t, app, { SHAZBOT_CONTROL_SECRET: '' }, false);
      assert.equal((await server.ended()).code, 1);
      assert.match(server.stdout + server.stderr, /Environment variable SHAZBOT_CONTROL_SECRET is required/);
    });

    test(`does not delay the start of the application until a hanging master list times out, on ${app}`, async (t) => {
      const store = `${(await startFakePeer(t, { answer: () => 'hang' })).baseUrl}list.json`;
      const env = { SHAZBOT_MASTER_LIST: store, SHAZBOT_MASTER_LIST_UPDATE: store };
      const since = Date.now();
      await start(t, app, { ...env, SHAZBOT_MASTER_LIST_UPDATE_AUTH: 'x' });
      assert.ok(Date.now() - since < 8_000, `${Date.now() - since} ms`);
    });

    test(`does not start the engine in an application context without HTTP, on ${app}`, async () => {
      const env = { ...environment('http://127.0.0.1:9/'), ...fileList().env, CONTEXT: 'yes' };
      const { code, stdout, stderr } = await runToEnd([String(mains[app])], { env });
      assert.equal(code, 0, stderr);
      const message = 'Clustershazbot engine not started';
      const health = stdout.split('\n').find((line) => line.startsWith('{')) ?? '{}';
      assert.deepEqual(JSON.parse(health), { cluster: { status: 'down', message } });
    });
  }
});

/** Compiles the application with TypeScript and the options of Nest's starter. Returns the main file. */
async function buildWithMetadata() {
  const directory = projectOf('nest-module-11', 'nest11');
  const { compilerOptions } = JSON.parse(readFileSync(path.join(apps, 'nest11', 'tsconfig.json'), 'utf8'));
  write(directory, {
    'package.json': { type: 'commonjs' },
    'tsconfig.json': { compilerOptions, files: ['main.ts'] },
    'main.ts': source,
  });
  assert.equal(await tsc(directory), '', 'tsc accepts it');
  return path.join(directory, 'dist', 'main.js');
}
