'use strict';

const assert = require('node:assert/strict');
const { createServer } = require('node:http');
const path = require('node:path');
const { describe, test } = require('node:test');
const { Worker } = require('node:worker_threads');

const { CONTROL_SECRET, environment, fileList, urls } = require('../harness/cluster.js');
const { close, listen, request } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { agree, apps, runToEnd, startProgram } = require('./support/programs.js');
const { until } = require('../harness/until.js');

const plain = path.join(apps, 'plain');

/** @typedef {Awaited<ReturnType<typeof startThread>>} Thread */

describe('worker threads', () => {
  test('two in one process, each with its own environment, find each other', async (t) => {
    const { env } = fileList();
    const threads = await Promise.all([startThread(t, env), startThread(t, env)]);
    await agree(threads, { online: threads });
  });

  test('an environment that a thread sets for itself counts', async (t) => {
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

  test('the engine of a thread is not the engine of the process', async (t) => {
    await startThread(t, fileList().env);
    const { shazbotGetServerList } = require('clustershazbot');
    assert.throws(() => shazbotGetServerList(), { code: 'SHAZBOT_NOT_STARTED' });
  });

  test('a thread that has nothing but a started engine ends by itself', async (t) => {
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

  test('when one is terminated, the other goes on and lists it offline', async (t) => {
    const { env } = fileList();
    const [stays, goes] = await Promise.all([startThread(t, env), startThread(t, env)]);
    await agree([stays, goes], { online: [stays, goes] });
    await acquainted(stays, goes);
    await goes.worker.terminate();
    await agree([stays], { online: [stays], offline: [goes] });
    const again = await startThread(t, env, goes.port);
    await agree([stays, again], { online: [stays, again] });
  });

  test('20 terminated one after the other while they run: the process goes on and ends by itself', async (t) => {
    const { env } = fileList();
    await startProgram(t, [path.join(plain, 'server.cjs')], { env });
    await terminated('running', { ...env, SHAZBOT_GOSSIP_INTERVAL: '0.1' });
  });

  test('20 terminated in the middle of their start: the process goes on and ends by itself', async (t) => {
    const hanging = await startHanging(t);
    await terminated('starting', {
      SHAZBOT_MASTER_LIST: `${hanging}servers.json`,
      SHAZBOT_MASTER_LIST_UPDATE: `${hanging}servers.json`,
      SHAZBOT_MASTER_LIST_UPDATE_AUTH: 'auth',
    });
  });

  test('20 terminated in the middle of their shutdown: the process goes on and ends by itself', async (t) => {
    await terminated('leaving', fileList().env, await startHanging(t));
  });
});

/**
 * The plain CommonJS server in a thread of this process.
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
 * Waits until one has had several signs of life from the other: a server that never answered is not called dead
 * in its first minute.
 *
 * @param {Thread} one
 * @param {Thread} other
 */
async function acquainted(one, other) {
  const stamps = new Set();
  await until(
    async () => {
      const { online } = await one.list();
      stamps.add(online.find(({ baseUrl }) => baseUrl === other.baseUrl)?.lastUpdate);
      return stamps.size > 6;
    },
    { what: `${one.baseUrl} hears of ${other.baseUrl}` },
  );
}

/**
 * A server that takes requests and never answers.
 *
 * @param {import('../harness/cluster.js').Scope} scope
 * @returns {Promise<string>} its URL
 */
async function startHanging(scope) {
  const [port] = /** @type {[number]} */ (await freePorts(1));
  const server = createServer(() => {});
  await listen(server, port);
  scope.after(() => close(server));
  return `http://127.0.0.1:${port}/`;
}

/**
 * @param {'running' | 'starting' | 'leaving'} phase
 * @param {Record<string, string>} env
 * @param {string} [hanging] URL
 */
async function terminated(phase, env, hanging = '') {
  const [port] = await freePorts(1);
  const { code, signal, stdout, stderr } = await runToEnd([path.join(plain, 'terminate.cjs'), phase, hanging], {
    env: { ...environment(`http://127.0.0.1:${port}/`), ...env },
    timeout: 40_000,
  });
  assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' });
  assert.equal(stdout, Array.from({ length: 20 }, (_, n) => `${n + 1}\n`).join(''));
}
