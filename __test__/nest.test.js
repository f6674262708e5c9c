'use strict';

// The Nest program of version 1's README, unchanged, on Nest 11 and 12.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { readFileSync } = require('node:fs');
const path = require('node:path');

const { CONTROL_SECRET, SECRET, fileList } = require('../harness/cluster.js');
const { request } = require('../harness/http.js');
const { agree, copyApp, readmeProgram, startProgram, tsc, write } = require('./support/programs.js');
const { until } = require('../harness/until.js');

/** @typedef {Awaited<ReturnType<typeof startProgram>>} Server */
/** Each application has the compiler and the options of Nest's starter: `strict` in Nest 12 but not in Nest 11. */
const variants = [
  ['Nest 12, an ES module', 'nest12'],
  ['Nest 11, CommonJS', 'nest11'],
];

describe("the Nest controller and service of version 1's README", () => {
  const list = fileList();
  /** @type {string[]} */
  const mains = [];
  /** @type {Server[]} */
  const servers = [];

  before(async () => {
    mains.push(...(await Promise.all(variants.map(([, app]) => build(/** @type {string} */ (app))))));
    const starts = mains.map((main) => startProgram({ after }, [main], { env: list.env }));
    servers.push(...(await Promise.all(starts)));
  });

  test('start the engine, so that a Nest 11 and a Nest 12 application find each other', async () => {
    await agree(servers, { online: servers });
  });

  for (const [n, [name, app]] of variants.entries()) {
    describe(`on ${name}`, () => {
      const server = () => /** @type {Server} */ (servers[n]);
      const post = poster(server);

      test('are compiled to the decorator metadata that Nest reads', () => {
        const compiled = readFileSync(path.join(path.dirname(String(mains[n])), 'clustershazbot.js'), 'utf8');
        assert.match(compiled, /__metadata\("design:paramtypes", \[String, .*GossipMessage.*\]\)/);
      });

      test('answer gossip with 201 and the server list', async () => {
        const { status, json } = await post('gossip', SECRET, { message: 'gossip', online: [], offline: [] });
        assert.equal(status, 201);
        assert.equal(json.message, 'gossip');
        const urls = json.online.map((/** @type {any} */ entry) => entry.baseUrl).sort();
        assert.deepEqual(urls, servers.map(({ baseUrl }) => baseUrl).sort());
      });

      test('show the offline servers only for the control secret', async () => {
        const { status, json } = await request(`${server().baseUrl}clustershazbot/list`);
        assert.equal(status, 200);
        assert.deepEqual(Object.keys(json), ['online']);
        assert.deepEqual(Object.keys(await server().list()), ['online', 'offline']);
      });

      test('answer a wrong secret with 401', async () => {
        for (const authorization of ['', 'wrong', CONTROL_SECRET]) {
          const { status, json } = await post('gossip', authorization, { message: 'gossip', online: [] });
          assert.equal(status, 401);
          assert.equal(json.message, 'Unauthorized: Invalid SHAZBOT_SECRET');
        }
        const { status, json } = await post('control', SECRET, { message: 'control', online: false });
        assert.equal(status, 401);
        assert.equal(json.message, 'Unauthorized: Invalid SHAZBOT_CONTROL_SECRET');
      });

      test('answer an invalid message with 400 and an error that names the mistake', async () => {
        for (const body of [[], {}, { message: 'gossip' }, { message: 'gossip', online: 1 }, undefined]) {
          const { status, json } = await post('gossip', SECRET, body);
          assert.equal(status, 400, JSON.stringify(body));
          assert.match(json.message, /message|online|object/);
        }
        const { status } = await post('control', CONTROL_SECRET, { message: 'control', online: 'yes' });
        assert.equal(status, 400);
      });

      test('drain and undrain the server on a control message', async () => {
        const others = servers.filter((other) => other !== server());
        const { status, json } = await server().control(false);
        assert.deepEqual([status, json], [201, { success: true }]);
        await agree(servers, { online: others, offline: [server()] });
        assert.equal((await server().control(true)).status, 201);
        await agree(servers, { online: servers });
      });

      test('answer every route with 503 while the engine is not started', async (t) => {
        const env = { ...list.env, WITHOUT_SERVICE: 'yes' };
        const idle = await startProgram(t, [String(mains[n])], { env, wait: false });
        const call = poster(() => idle);
        const first = await until(() => request(`${idle.baseUrl}clustershazbot/list`), { what: `${app} listens` });
        const gossip = await call('gossip', SECRET, { message: 'gossip', online: [] });
        const control = await call('control', CONTROL_SECRET, { message: 'control', online: true });
        for (const { status, json } of [first, gossip, control]) {
          assert.equal(status, 503);
          assert.equal(json.message, 'Clustershazbot engine not started');
        }
      });
    });
  }

  test('leave the cluster on SIGTERM in the shutdown hook, before the signal ends the process', async () => {
    const [leaver, stays] = /** @type {[Server, Server]} */ (servers);
    leaver.signal('SIGTERM');
    assert.deepEqual(await leaver.ended(), { code: null, signal: 'SIGTERM' });
    await agree([stays], { online: [stays], offline: [leaver] });
    stays.signal('SIGTERM');
    assert.deepEqual(await stays.ended(), { code: null, signal: 'SIGTERM' });
  });

  test('end the application with the reason if the start is rejected', async (t) => {
    for (const main of mains) {
      const env = { ...list.env, SHAZBOT_CONTROL_SECRET: '' };
      const program = await startProgram(t, [main], { env, wait: false });
      assert.deepEqual(await program.ended(), { code: 1, signal: null });
      assert.match(program.stdout + program.stderr, /Environment variable SHAZBOT_CONTROL_SECRET is required/);
    }
  });
});

/**
 * Returns a function that posts to the routes of a server.
 *
 * @param {() => Server} server
 */
function poster(server) {
  /**
   * @param {'gossip' | 'control'} route
   * @param {string} authorization
   * @param {unknown} body
   */
  return (route, authorization, body) =>
    request(`${server().baseUrl}clustershazbot/${route}`, { method: 'POST', headers: { authorization }, body });
}

/**
 * @param {string} app
 * @returns {Promise<string>} the compiled main file
 */
async function build(app) {
  const directory = copyApp(app);
  // The README's block uses two functions without importing them, so a program has to add the import.
  const missing = "import { shazbotShutDown, shazbotStart } from 'clustershazbot';\n";
  write(directory, { 'src/clustershazbot.ts': `${missing}${readmeProgram('nest')}` });
  assert.equal(await tsc(directory), '', 'tsc accepts it');
  return path.join(directory, 'dist', 'main.js');
}
