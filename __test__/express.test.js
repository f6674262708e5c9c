'use strict';

// The Express program from version 1's README runs unchanged on this package.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const path = require('node:path');

const { CONTROL_SECRET, SECRET, fileList } = require('../harness/cluster.js');
const { request } = require('../harness/http.js');
const { agree, apps, readmeProgram, startProgram, tsc, workDirectory, write } = require('./support/programs.js');
const { until } = require('../harness/until.js');

const preload = path.join(apps, 'port-3000.cjs');

/** `strict`, except that the program reads `error.message` of an error of unknown type. */
const tsconfig = {
  compilerOptions: {
    strict: true,
    useUnknownInCatchVariables: false,
    module: 'nodenext',
    target: 'es2023',
    esModuleInterop: true,
    skipLibCheck: true,
    types: ['node'],
    outDir: 'dist',
    rootDir: '.',
  },
  files: ['server.ts'],
};

/** @typedef {Awaited<ReturnType<typeof startProgram>>} Server */
/** @type {[name: string, app: string, type: string, typescript: boolean][]} */
const variants = [
  ['TypeScript on Express 5', 'express5', 'module', true],
  ['TypeScript on Express 4', 'express4', 'commonjs', true],
  ['JavaScript on Express 5', 'express5', 'module', false],
  ['JavaScript on Express 4', 'express4', 'module', false],
];

describe("the Express program from version 1's README runs unchanged", () => {
  const list = fileList();
  /** @type {Server[]} */
  const servers = [];
  /** @param {number} n */
  const server = (n) => /** @type {Server} */ (servers[n]);

  before(async () => {
    const files = await Promise.all(variants.map(build));
    const starts = files.map((file) => startProgram({ after }, ['--require', preload, file], { env: list.env }));
    servers.push(...(await Promise.all(starts)));
  });

  test('four servers, each built in a different way, find each other', async () => {
    await agree(servers, { online: servers });
    for (const { stdout, stderr } of servers) {
      assert.equal(stdout, 'Server running on port 3000\n');
      assert.equal(stderr, '');
    }
  });

  for (const [n, [name]] of variants.entries()) {
    describe(name, () => {
      /**
       * @param {'gossip' | 'control'} route
       * @param {string | undefined} authorization
       * @param {unknown} body
       */
      const post = (route, authorization, body) =>
        request(`${server(n).baseUrl}clustershazbot/${route}`, {
          method: 'POST',
          headers: authorization === undefined ? {} : { authorization },
          body,
        });

      test('the list route shows online servers to everyone, and offline servers for the control secret', async () => {
        const { baseUrl } = server(n);
        for (const authorization of ['', 'wrong', SECRET]) {
          const { status, json } = await request(`${baseUrl}clustershazbot/list`, { headers: { authorization } });
          assert.equal(status, 200);
          assert.deepEqual(Object.keys(json), ['online']);
          assert.equal(json.online.length, servers.length);
        }
        const lists = await server(n).list();
        assert.deepEqual(Object.keys(lists), ['online', 'offline']);
        assert.deepEqual(lists.offline, []);
        const own = lists.online.find((entry) => entry.baseUrl === baseUrl);
        assert.deepEqual(own, { baseUrl, monitor: false, lastUpdate: own?.lastUpdate });
        assert.ok(Math.abs(Date.now() - Number(own?.lastUpdate)) < 60_000, 'lastUpdate is in ms');
      });

      test('the gossip route answers a version 1 message with all servers', async () => {
        const { status, json } = await post('gossip', SECRET, { message: 'gossip', online: [], offline: [] });
        assert.equal(status, 200);
        assert.equal(json.message, 'gossip');
        const urls = json.online.map((/** @type {any} */ entry) => entry.baseUrl).sort();
        assert.deepEqual(urls, servers.map(({ baseUrl }) => baseUrl).sort());
        assert.deepEqual(json.offline, []);
      });

      test('a wrong secret is answered with 401 and the error message of version 1', async () => {
        for (const authorization of [undefined, 'wrong', `Bearer ${SECRET}`, CONTROL_SECRET]) {
          const { status, json } = await post('gossip', authorization, { message: 'gossip', online: [] });
          assert.equal(status, 401);
          assert.deepEqual(json, { error: 'Unauthorized: Invalid SHAZBOT_SECRET' });
        }
        const { status, json } = await post('control', SECRET, { message: 'control', online: false });
        assert.equal(status, 401);
        assert.deepEqual(json, { error: 'Unauthorized: Invalid SHAZBOT_CONTROL_SECRET' });
        assert.deepEqual((await server(n).list()).offline, []);
      });

      test('an invalid body is rejected with an error other than that of a wrong secret', async () => {
        /** @type {[route: 'gossip' | 'control', authorization: string, body: unknown][]} */
        const cases = [
          ['gossip', SECRET, []],
          ['gossip', SECRET, { message: 'gossip' }],
          ['gossip', SECRET, { message: 'other', online: [] }],
          ['gossip', SECRET, undefined],
          ['control', CONTROL_SECRET, { message: 'control' }],
          ['control', CONTROL_SECRET, { message: 'gossip', online: true }],
        ];
        for (const [route, authorization, body] of cases) {
          const { status, json } = await post(route, authorization, body);
          assert.equal(status, 401, 'the program answers every error with 401');
          assert.match(json.error, /^(?!Unauthorized)./);
        }
      });

      test('the control route drains the server in all lists, and puts it back online', async () => {
        const others = servers.filter((other) => other !== server(n));
        const drained = await server(n).control(false);
        assert.deepEqual([drained.status, drained.json], [200, { success: true }]);
        await agree(servers, { online: others, offline: [server(n)] });
        const back = await server(n).control(true);
        assert.deepEqual([back.status, back.json], [200, { success: true }]);
        await agree(servers, { online: servers });
      });
    });
  }

  test('on SIGINT each server leaves, exits with 0, and is listed offline by the others', async () => {
    for (const [n, leaver] of servers.entries()) {
      leaver.signal('SIGINT');
      assert.deepEqual(await leaver.ended(), { code: 0, signal: null });
      assert.match(leaver.stdout, /Shutting down\.\.\.\n$/);
      assert.equal(leaver.stderr, '');
      await agree(servers.slice(n + 1), { online: servers.slice(n + 1), offline: servers.slice(0, n + 1) });
    }
  });

  test('a rejected start is printed, and the list route answers that the engine is not started', async (t) => {
    const file = await build(['', 'express5', 'module', false], 4);
    const env = { ...list.env, SHAZBOT_SECRET: '' };
    const program = await startProgram(t, ['--require', preload, file], { env, wait: false });
    const answer = await until(() => request(`${program.baseUrl}clustershazbot/list`), { what: 'the program listens' });
    assert.equal(answer.status, 500);
    assert.deepEqual(answer.json, { error: 'Clustershazbot engine not started' });
    assert.match(program.stderr, /Environment variable SHAZBOT_SECRET is required/);
    program.signal('SIGINT');
    assert.deepEqual(await program.ended(), { code: 0, signal: null });
  });
});

/**
 * Writes the program, compiles it if it is TypeScript, and returns its file. The JavaScript variants are the same
 * program without the type syntax.
 *
 * @param {[name: string, app: string, type: string, typescript: boolean]} variant
 * @param {number} n
 */
async function build([, app, type, typescript], n) {
  const directory = workDirectory(`express-${n}`, app);
  const source = readmeProgram('express');
  write(directory, { 'package.json': { type } });
  if (!typescript) {
    write(directory, { 'server.js': source.replace(/ as \w+/g, '') });
    return path.join(directory, 'server.js');
  }
  write(directory, { 'server.ts': source, 'tsconfig.json': tsconfig });
  assert.equal(await tsc(directory), '', 'the program compiles without errors');
  return path.join(directory, 'dist', 'server.js');
}
