'use strict';

// Requests to servers of the cluster (clustershazbot/fetch, clustershazbot/undici): what is sent again, and to which server.

const assert = require('node:assert/strict');
const http = require('node:http');
const { describe, test } = require('node:test');
const undici = require('undici');

const { SECRET } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { startFakePeer, unusedUrl } = require('../harness/fake-peer.js');
const { message } = require('../harness/gossip.js');
const { close, listen, readBody } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { until } = require('../harness/until.js');
const { nothingWasSent } = require('../lib/retries.js');

/** @typedef {import('node:test').TestContext} Test */
/** @typedef {{ method: string, url: string, headers: http.IncomingHttpHeaders, body: string }} Received */
/** What a server does with a request. @typedef {number | 'hang' | 'hint' | 'reset' | 'redirect'} Answer */

const READ = { method: 'GET' };
const WRITE = { method: 'POST', body: 'an order' };

/**
 * @param {Test} t
 * @param {Answer} answer
 */
async function startTarget(t, answer) {
  const [port] = await freePorts(1);
  const target = {
    baseUrl: `http://127.0.0.1:${port}/app/`,
    /** @type {Received[]} */
    received: [],
    answer,
  };
  const server = http.createServer(async (req, res) => {
    const { method = '', url = '', headers } = req;
    // Of the engine, which contacts the servers that it lists.
    if (url.includes('/clustershazbot/')) return void res.writeHead(500).end();
    target.received.push({ method, url, headers, body: (await readBody(req)).toString() });
    if (target.answer === 'hang') return;
    if (target.answer === 'reset') return void req.socket.destroy();
    if (target.answer === 'hint') res.writeEarlyHints({ link: '</style.css>; rel=preload' });
    const isRedirect = target.answer === 'redirect';
    const status = isRedirect ? 307 : Number(target.answer) || 200;
    res.writeHead(status, isRedirect ? { location: '/elsewhere' } : {}).end('done');
  });
  await listen(server, Number(port));
  t.after(() => {
    server.closeAllConnections();
    return close(server);
  });
  return target;
}

/**
 * An engine that lists a server for each answer, and functions that call them in this order.
 * @param {Test} t
 * @param {...(Answer | 'refuse')} answers
 */
async function start(t, ...answers) {
  const engine = await startEngine(t, { SHAZBOT_READY: 'manual' });
  const { shazbotFetch } = require('../lib/fetch.js');
  const { ShazbotDispatcher } = require('../lib/undici.js');
  const targets = await Promise.all(
    answers.map(async (answer) =>
      answer === 'refuse' ? { baseUrl: `${await unusedUrl()}app/`, received: [] } : startTarget(t, answer),
    ),
  );
  const now = Date.now();
  const online = targets.map(({ baseUrl }, i) => ({
    baseUrl,
    monitor: false,
    lastUpdate: now,
    shazbot: `${now}.1>tplace=${i}`,
  }));
  await engine.shazbotGossipRequest(SECRET, message(online));
  const prefer = targets.map((_, i) => ({ place: String(i) }));
  const dispatcher = new ShazbotDispatcher({ prefer });
  t.after(() => dispatcher.destroy());
  /** How often each server got a request. */
  const received = () => targets.map((target) => target.received.length);
  return {
    ...engine,
    targets,
    received,
    call: (/** @type {import('clustershazbot/fetch').ShazbotFetchInit} */ init = {}, path = '/orders?all=1') =>
      shazbotFetch(path, { prefer, ...init }),
    dispatch: (/** @type {any} */ options = {}) =>
      undici.request('http://cluster/orders?all=1', { dispatcher, method: 'GET', ...options }),
  };
}

describe('a request to the cluster', () => {
  test('goes below the base URL of a server, with what the program says and without the secret', async (t) => {
    const { call, dispatch, targets } = await start(t, 200);
    const headers = { 'content-type': 'text/plain', 'x-own': 'yes' };
    assert.equal(await (await call({ ...WRITE, headers })).text(), 'done');
    assert.equal((await dispatch({ ...WRITE, headers })).statusCode, 200);
    for (const { method, url, headers, body } of targets[0]?.received ?? []) {
      assert.deepEqual([method, url, body], ['POST', '/app/orders?all=1', 'an order']);
      assert.deepEqual([headers['x-own'], headers.authorization], ['yes', undefined]);
      assert.equal(`http://${headers.host}/app/`, targets[0]?.baseUrl);
    }
    assert.equal(targets[0]?.received.length, 2);
  });

  test('never leaves the base URL', async (t) => {
    const { call, received } = await start(t, 200);
    for (const path of ['orders', '//evil.example/', 'http://evil.example/', '/../x', '/%2e%2e/x', '/a/../../x', '']) {
      await assert.rejects(call({}, path), TypeError, path);
    }
    assert.deepEqual(received(), [0]);
  });

  test('fails without a server, and without an engine', async (t) => {
    const { call, dispatch, shazbotShutDown } = await start(t);
    await assert.rejects(call(), { code: 'SHAZBOT_NO_SERVER', status: 503 });
    await assert.rejects(dispatch(), { code: 'SHAZBOT_NO_SERVER' });
    await shazbotShutDown();
    await assert.rejects(call(), { code: 'SHAZBOT_NOT_STARTED' });
  });

  for (const [name, init] of /** @type {const} */ ([
    ['GET', READ],
    ['POST', WRITE],
  ])) {
    test(`goes to another server if one refuses the connection: ${name}`, async (t) => {
      const { call, dispatch, received } = await start(t, 'refuse', 'refuse', 200);
      assert.equal((await call(init)).status, 200);
      assert.equal((await dispatch(init)).statusCode, 200);
      assert.deepEqual(received(), [0, 0, 2]);
    });
  }

  test('that fails has the server probed, and decides nothing about it', async (t) => {
    const peer = await startFakePeer(t);
    const engine = await startEngine(t, { SHAZBOT_READY: 'manual', SHAZBOT_GOSSIP_INTERVAL: '1' });
    const { shazbotGossipRequest, shazbotServers, shazbotStatus } = engine;
    const { shazbotFetch } = require('../lib/fetch.js');
    const { ShazbotDispatcher } = require('../lib/undici.js');
    const dispatcher = new ShazbotDispatcher();
    t.after(() => dispatcher.destroy());
    await shazbotGossipRequest(SECRET, message([peer.entry()]));
    await until(() => shazbotStatus().members.some(({ answered }) => answered), { what: 'the peer has answered' });
    const own = peer.alive();
    peer.answer = ({ body }) => (body?.message === 'gossip' ? own : 'reset');
    const requests = [() => shazbotFetch('/'), () => undici.request('http://cluster/', { dispatcher })];
    const probes = () => shazbotStatus().exchanges.watches.probes;
    for (const send of requests) {
      const before = probes();
      // A hint during a probe of the usual round starts none.
      const isProbed = async () => {
        await assert.rejects(send());
        return probes() > before;
      };
      await until(isProbed, { every: 300, what: 'it is probed' });
    }
    assert.equal(shazbotServers().length, 2);
  });

  test('is tried at another server if the one that has it restarts', { timeout: 20_000 }, async (t) => {
    const { call, received, targets } = await start(t, 'hang', 200);
    const { observers } = require('../lib/events.js');
    const pending = call(READ);
    await until(() => received()[0] === 1, { what: 'the first server has the request' });
    const { baseUrl } = targets[0] ?? {};
    for (const type of ['offline', 'online']) {
      for (const observe of observers) observe(/** @type {any} */ ({ type, baseUrl, reason: 'left' }));
    }
    assert.equal((await pending).status, 200);
    assert.deepEqual(received(), [1, 1]);
  });

  test('is tried at three servers, or as many as the program wants', async (t) => {
    const { call, received } = await start(t, 'reset', 'reset', 'reset', 200);
    await assert.rejects(call(READ), TypeError);
    assert.deepEqual(received(), [1, 1, 1, 0]);
    assert.equal((await call({ attempts: 4 })).status, 200);
    await assert.rejects(call({ attempts: 1 }), TypeError);
    assert.deepEqual(received(), [3, 2, 2, 1]);
  });

  test('is never sent twice if that could do something twice', async (t) => {
    const { call, dispatch, received } = await start(t, 'reset', 200);
    await assert.rejects(call(WRITE), TypeError);
    await assert.rejects(dispatch(WRITE), { code: 'UND_ERR_SOCKET' });
    assert.deepEqual(received(), [2, 0]);
    assert.equal((await call(READ)).status, 200);
    assert.equal((await dispatch(READ)).statusCode, 200);
    assert.equal((await call({ method: 'DELETE' })).status, 200);
    assert.deepEqual(received(), [5, 3]);
  });

  test('is not sent twice either on a connection that was used before', async (t) => {
    const { call, dispatch, received, targets } = await start(t, 200, 200);
    const [target = assert.fail()] = targets;
    for (const send of [call, dispatch]) {
      Object.assign(target, { answer: 200 });
      const response = await send(READ);
      await ('text' in response ? response.text() : response.body.text());
      Object.assign(target, { answer: 'reset' });
      await assert.rejects(send(WRITE));
    }
    assert.deepEqual(received(), [4, 0]);
  });

  test('counts as not sent only if no connection was opened', () => {
    const error = (/** @type {object} */ cause) => Object.assign(new TypeError('fetch failed'), { cause });
    for (const cause of [
      { code: 'ECONNREFUSED', syscall: 'connect' },
      { code: 'EHOSTUNREACH', syscall: 'connect' },
      { code: 'ENOTFOUND', syscall: 'getaddrinfo' },
      // An AggregateError, of several addresses.
      { code: 'ECONNREFUSED' },
    ]) {
      assert.equal(nothingWasSent(error(cause)), true, cause.syscall);
      assert.equal(nothingWasSent(cause), true, cause.syscall);
    }
    // What TCP reports of a host that has vanished since.
    for (const syscall of ['read', 'write']) {
      assert.equal(nothingWasSent(error({ code: 'EHOSTUNREACH', syscall })), false);
    }
    for (const other of [undefined, null, new Error('x'), error({ code: 'ECONNRESET', syscall: 'read' })]) {
      assert.equal(nothingWasSent(other), false);
    }
  });

  test('may be answered by early hints first', async (t) => {
    const { call, dispatch, received } = await start(t, 'hint');
    assert.equal(await (await call(READ)).text(), 'done');
    const { statusCode, body } = await dispatch(READ);
    assert.deepEqual([statusCode, await body.text()], [200, 'done']);
    assert.deepEqual(received(), [2]);
  });

  test('whose body is a stream is sent once', async (t) => {
    const { call, received } = await start(t, 'reset', 200);
    const body = new Blob(['an order']).stream();
    await assert.rejects(call(/** @type {any} */ ({ method: 'PUT', body, duplex: 'half' })), TypeError);
    assert.deepEqual(received(), [1, 0]);
    assert.equal((await call({ method: 'PUT', body: new Blob(['an order']) })).status, 200);
  });

  test('tries another server after a 503 if the method is idempotent, and returns the last 503 if all answer so', async (t) => {
    const { call, received, targets } = await start(t, 503, 200);
    assert.equal((await call(READ)).status, 200);
    assert.equal((await call(WRITE)).status, 503);
    assert.deepEqual(received(), [2, 1]);
    Object.assign(targets[1] ?? {}, { answer: 503 });
    const response = await call(READ);
    assert.deepEqual([response.status, await response.text()], [503, 'done']);
    assert.deepEqual(received(), [3, 2]);
  });

  test('returns the redirect of a POST, and follows it if the program says so, but at one server only', async (t) => {
    const { call, received } = await start(t, 'redirect', 200);
    assert.equal((await call(WRITE)).status, 307);
    assert.deepEqual(received(), [1, 0]);
    const other = await start(t, 'refuse', 200);
    await assert.rejects(other.call({ ...WRITE, redirect: 'follow' }), TypeError);
    assert.deepEqual(other.received(), [0, 0]);
  });

  test('tries another server after attemptTimeout if the method is idempotent', async (t) => {
    const { call, received } = await start(t, 'hang', 200);
    assert.equal((await call({ attemptTimeout: 200 })).status, 200);
    const signal = AbortSignal.timeout(600);
    await assert.rejects(call({ ...WRITE, attemptTimeout: 100, signal }), { name: 'TimeoutError' });
    assert.deepEqual(received(), [2, 1]);
  });

  test('has no attemptTimeout with Infinity', async (t) => {
    const { call, received } = await start(t, 200);
    assert.equal(
      (await call({ attemptTimeout: Number.POSITIVE_INFINITY, attempts: Number.POSITIVE_INFINITY })).status,
      200,
    );
    assert.deepEqual(received(), [1]);
  });

  test('that fails says which servers were tried, and why each failed', async (t) => {
    const { call, targets } = await start(t, 503, 'reset', 'hang');
    const [first = '', second = '', third = ''] = targets.map(({ baseUrl }) => baseUrl);
    await assert.rejects(call({ attemptTimeout: 300 }), (/** @type {any} */ error) => {
      assert.deepEqual([error.code, error.baseUrl, error.status], ['SHAZBOT_TIMEOUT', third, 503]);
      assert.match(error.message, /has not answered for 300 ms\. See clustershazbot/);
      assert.deepEqual(error.attempts, [
        { baseUrl: first, code: 'HTTP_503' },
        { baseUrl: second, code: 'UND_ERR_SOCKET' },
        { baseUrl: third, code: 'SHAZBOT_TIMEOUT' },
      ]);
      return true;
    });
    const { observers } = require('../lib/events.js');
    const pending = call({ except: [first, second] });
    const events = [{ type: 'offline', reason: 'failed', baseUrl: third }];
    for (const observe of observers) for (const event of events) observe(/** @type {any} */ (event));
    await assert.rejects(pending, { code: 'SHAZBOT_SERVER_FAILED', baseUrl: third });
  });

  test('that no server could get is not sent, and is not taken for the failure of a server', async (t) => {
    const { call, dispatch, received } = await start(t, 200, 200);
    const hint = t.mock.method(require('../lib/engine.js').engine, 'hint');
    await assert.rejects(call({ method: 'GET', body: 'a' }), TypeError);
    await assert.rejects(call({ headers: { 'x-a': 'a\nb' } }), TypeError);
    await assert.rejects(dispatch({ headers: { 'x-a': 'a\nb' } }), { code: 'UND_ERR_INVALID_ARG' });
    assert.deepEqual([received(), hint.mock.callCount()], [[0, 0], 0]);
  });

  test('ends when the program aborts it, and is not sent again', async (t) => {
    const { call, received } = await start(t, 'hang', 200);
    const controller = new AbortController();
    const aborted = assert.rejects(call({ signal: controller.signal }), { name: 'AbortError' });
    await until(() => received()[0] === 1, { what: 'the request' });
    controller.abort();
    await aborted;
    await assert.rejects(call({ signal: AbortSignal.abort() }), { name: 'AbortError' });
    assert.deepEqual(received(), [1, 0]);
  });

  test('goes to each server as often as to the others, within 10 %', async (t) => {
    const { call, targets } = await start(t, 200, 200, 200, 200, 200);
    /** @type {Record<string, number>} */
    const counts = {};
    // Without a network, so that there can be enough of them.
    t.mock.method(globalThis, 'fetch', async (/** @type {string} */ url) => {
      const { origin } = new URL(url);
      counts[origin] = (counts[origin] ?? 0) + 1;
      return new Response('done');
    });
    // One after the other: each goes to a random server. A tenth of a share is 7 standard deviations, which chance exceeds once in
    // 1e11.
    for (let i = 0; i < 20_000; i++) await call({ prefer: [] });
    assert.equal(Object.keys(counts).length, targets.length);
    for (const [origin, count] of Object.entries(counts))
      assert.ok(Math.abs(count / 4_000 - 1) < 0.1, `${origin}: ${count}`);
  });

  test('goes to the less busy of two servers', async (t) => {
    const { call, received, targets } = await start(t, 'hang', 200);
    const controller = new AbortController();
    const hanging = Array.from({ length: 5 }, () =>
      call({ signal: controller.signal, except: [targets[1]?.baseUrl ?? ''] }),
    );
    await until(() => received()[0] === 5, { what: 'five requests' });
    for (let i = 0; i < 20; i++) assert.equal((await call({ prefer: [] })).status, 200);
    assert.deepEqual(received(), [5, 20]);
    controller.abort();
    await Promise.allSettled(hanging);
  });
});
