'use strict';

// Engines in worker threads: each thread has its own, and can be terminated at any time.

const assert = require('node:assert/strict');
const path = require('node:path');
const { describe, test } = require('node:test');
const { Worker } = require('node:worker_threads');

const { CONTROL_SECRET, environment, fileList, urls } = require('../harness/cluster.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { request } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { agree, apps, runToEnd, startProgram } = require('./support/programs.js');
const { until } = require('../harness/until.js');

const plain = path.join(apps, 'plain');

/** @typedef {Awaited<ReturnType<typeof startThread>>} Thread */

describe('in worker threads', () => {
  test('two engines in one process, each with its own environment, find each other', async (t) => {
    const { env } = fileList();
    const threads = await Promise.all([startThread(t, env), startThread(t, env)]);
    await agree(threads, { online: threads });
  });

  test('an engine uses the environment variables that its thread sets', async (t) => {
    const { env } = fileList();
    const [port] = await freePorts(1);
    const all = { ...environment(`http://127.0.0.1:${port}/`), ...env };
    const worker = new Worker(
      `Object.assign(process.env, ${JSON.stringify(all)});
       const { parentPort } = require('node:worker_threads');
       const { shazbotGetServerList, shazbotStart } = require('clustershazbot');
       shazbotStart().then(() => parentPort.postMessage(shazbotGetServerList()));`,
      { eval: true, env: {} },
    );
    t.after(() => worker.terminate());
    const list = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    assert.deepEqual(urls(list.online), [`http://127.0.0.1:${port}/`]);
  });

  test('the engine of a thread is not visible in the main thread', async (t) => {
    await startThread(t, fileList().env);
    const { shazbotGetServerList } = require('clustershazbot');
    assert.throws(() => shazbotGetServerList(), { code: 'SHAZBOT_NOT_STARTED' });
  });

  test('a started engine does not keep its thread running', async (t) => {
    const [port] = await freePorts(1);
    const env = { ...environment(`http://127.0.0.1:${port}/`), ...fileList().env };
    const worker = new Worker(`require('clustershazbot').shazbotStart();`, { eval: true, env });
    t.after(() => worker.terminate());
    /** @type {number | undefined} */
    let code;
    worker.once('exit', (value) => {
      code = value;
    });
    await until(() => code !== undefined, { what: 'the thread ends' });
    assert.equal(code, 0);
  });

  test('an engine lists the engine of a terminated thread offline, and its successor online', async (t) => {
    const { env } = fileList();
    const [one, other] = await Promise.all([startThread(t, env), startThread(t, env)]);
    await agree([one, other], { online: [one, other] });
    await untilGossiped(one, other);
    await other.worker.terminate();
    await agree([one], { online: [one], offline: [other] });
    const successor = await startThread(t, env, other.port);
    await agree([one, successor], { online: [one, successor] });
  });

  test('a process survives 20 threads that are terminated while their engine runs', async (t) => {
    const { env } = fileList();
    await startProgram(t, [path.join(plain, 'server.cjs')], { env });
    await assertTerminates('running', { ...env, SHAZBOT_GOSSIP_INTERVAL: '0.1' });
  });

  test('a process survives 20 threads that are terminated during the start of their engine', async (t) => {
    const hanging = await startHanging(t);
    await assertTerminates('starting', {
      SHAZBOT_MASTER_LIST: `${hanging}servers.json`,
      SHAZBOT_MASTER_LIST_UPDATE: `${hanging}servers.json`,
      SHAZBOT_MASTER_LIST_UPDATE_AUTH: 'auth',
    });
  });

  test('a process survives 20 threads that are terminated during the shutdown of their engine', async (t) => {
    await assertTerminates('leaving', fileList().env, await startHanging(t));
  });
});

/**
 * Starts the plain CommonJS server in a thread of this process.
 *
 * @param {import('../harness/cluster.js').Scope} scope
 * @param {Record<string, string>} env
 * @param {number} [at] port
 */
async function startThread(scope, env, at) {
  const port = at ?? Number((await freePorts(1))[0]);
  const baseUrl = `http://127.0.0.1:${port}/`;
  const all = { ...environment(baseUrl), ...env, PORT: String(port) };
  const worker = new Worker(path.join(plain, 'server.cjs'), { env: all });
  /** @type {unknown} */
  let failure;
  worker.once('error', (error) => {
    failure = error;
  });
  scope.after(() => worker.terminate());
  const headers = { authorization: CONTROL_SECRET };
  const list = async () => {
    const { status, json } = await request(`${baseUrl}clustershazbot/list`, { headers });
    assert.equal(status, 200);
    return /** @type {import('..').ServerList} */ (json);
  };
  const view = async () => {
    const { online, offline = [] } = await list();
    return { online: urls(online), offline: urls(offline) };
  };
  await until(() => failure || list(), { what: `the thread ${baseUrl} serves` });
  assert.equal(failure, undefined);
  return { baseUrl, list, port, view, worker };
}

/**
 * Waits until one server has listed the other with several values of lastUpdate: a server that has never answered is not
 * listed offline in its first minute.
 *
 * @param {Thread} one
 * @param {Thread} other
 */
async function untilGossiped(one, other) {
  const lastUpdates = new Set();
  await until(
    async () => {
      const { online } = await one.list();
      lastUpdates.add(online.find(({ baseUrl }) => baseUrl === other.baseUrl)?.lastUpdate);
      return lastUpdates.size > 6;
    },
    { what: `${one.baseUrl} gets updates of ${other.baseUrl}` },
  );
}

/**
 * Starts a server that never answers a request, and returns its URL.
 *
 * @param {import('../harness/cluster.js').Scope} scope
 */
async function startHanging(scope) {
  return (await startFakePeer(scope, { answer: () => 'hang' })).baseUrl;
}

/**
 * Runs a process that starts and terminates 20 threads, one after the other, and must then end with code 0.
 *
 * @param {'running' | 'starting' | 'leaving'} phase
 * @param {Record<string, string>} env
 * @param {string} [hanging] URL
 */
async function assertTerminates(phase, env, hanging = '') {
  const [port] = await freePorts(1);
  const { code, signal, stdout, stderr } = await runToEnd([path.join(plain, 'terminate.cjs'), phase, hanging], {
    env: { ...environment(`http://127.0.0.1:${port}/`), ...env },
    timeout: 40_000,
  });
  assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' });
  assert.equal(stdout, Array.from({ length: 20 }, (_, n) => `${n + 1}\n`).join(''));
}
