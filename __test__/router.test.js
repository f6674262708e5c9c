'use strict';

// The package's HTTP routes on Express 4 and 5, Fastify and Node's own HTTP server.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { cpSync } = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { setImmediate } = require('node:timers/promises');
const { gzipSync } = require('node:zlib');

const { CONTROL_SECRET, SECRET, fileList } = require('../harness/cluster.js');
const { entry, message } = require('../harness/gossip.js');
const { close, listen, request } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { agree, runToEnd, startProgram, workDirectory } = require('./support/programs.js');
const { until } = require('../harness/until.js');

const { readBody } = require('../lib/body.js');
const { withLink } = require('../lib/errors.js');

/** @typedef {Awaited<ReturnType<typeof startProgram>>} Server */

/** The header of a signed message: only its body can show whether the sender has the secret. */
const SIGNED = `Shazbot ${'0'.repeat(32)} ${'0'.repeat(64)} http://a/`;

const WITHOUT_PARSER = ['', 'nested/'];
const ON_EXPRESS = [...WITHOUT_PARSER, 'unmounted/', 'parsed/', 'text/', 'raw/', 'without/'];

/** @type {[name: string, kind: string, app: string, mounts: string[]][]} */
const variants = [
  ['Express 5', 'express', 'express5', ON_EXPRESS],
  ['Express 4', 'express', 'express4', ON_EXPRESS],
  ['Fastify 5', 'fastify', 'examples', [...WITHOUT_PARSER, 'without/', 'hooked/']],
  ["Node's own server", 'http', 'plain', ['']],
];

/** The lines of a POST request up to the given headers, for tests that write to the socket themselves. */
const requestHead = (/** @type {string} */ route, /** @type {string[]} */ ...headers) =>
  `${[`POST /clustershazbot/${route} HTTP/1.1`, 'Host: a', 'Content-Type: application/json', ...headers].join('\r\n')}\r\n\r\n`;

describe("the package's routes", () => {
  const list = fileList();
  /** @type {Server[]} */
  const servers = [];

  before(async () => {
    servers.push(...(await Promise.all(variants.map((_, n) => start({ after }, n)))));
  });

  /**
   * @param {import('../harness/cluster.js').Scope} scope
   * @param {number} n
   * @param {Record<string, string>} [env]
   */
  function start(scope, n, env = {}) {
    const [, kind, app] = /** @type {typeof variants[0]} */ (variants[n]);
    const file = path.join(workDirectory(`router-${n}${Object.keys(env)}`, app), 'router.mjs');
    cpSync(path.join(__dirname, 'integrations', 'router.mjs'), file);
    return startProgram(scope, [file], { env: { ...list.env, ...env, KIND: kind }, wait: !env.START });
  }

  test('connect servers of all four kinds into one cluster', async () => {
    await agree(servers, { online: servers });
  });

  for (const [n, [name, kind, , mounts]] of variants.entries()) {
    describe(`on ${name}`, () => {
      /**
       * @param {string} route
       * @param {Parameters<typeof request>[1]} [options]
       * @param {string} [mount]
       */
      const ask = (route, options, mount = '') =>
        request(`${servers[n]?.baseUrl}${mount}clustershazbot${route}`, options);
      /**
       * @param {string} route
       * @param {string} authorization
       * @param {unknown} body
       * @param {Record<string, string>} [headers]
       * @param {string} [mount]
       */
      const post = (route, authorization, body, headers = {}, mount = '') =>
        ask(route, { method: 'POST', headers: { authorization, ...headers }, body }, mount);

      test('answer at every mount path, and behind every body parser', async () => {
        for (const mount of mounts) {
          const gossip = await post('/gossip', SECRET, message(), {}, mount);
          assert.equal(gossip.status, 200, mount + gossip.text);
          assert.equal(gossip.json.online.length, servers.length);
          const online = await ask('/list', {}, mount);
          assert.deepEqual([online.status, Object.keys(online.json)], [200, ['online']]);
          const all = await ask('/list?all', { headers: { authorization: CONTROL_SECRET } }, mount);
          assert.deepEqual(Object.keys(all.json), ['online', 'offline']);
          const control = await post('/control', CONTROL_SECRET, { message: 'control', online: true }, {}, mount);
          assert.deepEqual([control.status, control.json], [200, { success: true }]);
          for (const { headers } of [gossip, online, control]) {
            assert.equal(headers['content-type'], 'application/json; charset=utf-8');
            assert.equal(headers['cache-control'], 'no-store');
          }
        }
      });

      test('answer a bad request with the matching status, and an error with its code', async () => {
        for (const mount of mounts) {
          const { status, json } = await post('/gossip', 'wrong', message(), {}, mount);
          assert.equal(status, 401);
          assert.deepEqual(json, { error: 'Unauthorized: Invalid SHAZBOT_SECRET', code: 'SHAZBOT_UNAUTHORIZED' });
          const drain = { message: 'control', online: false };
          assert.equal((await post('/control', SECRET, drain, {}, mount)).status, 401);
          for (const body of [undefined, [], { message: 'gossip' }]) {
            const { status, json } = await post('/gossip', SECRET, body, {}, mount);
            assert.equal(status, 400, `${mount}${body}`);
            assert.match(json.error, /^Invalid gossip message: /);
            assert.equal(json.code, 'SHAZBOT_INVALID_MESSAGE');
          }
        }
      });

      test('reject a body that is not JSON, with an error that does not quote it', async () => {
        for (const body of ['{"message":secret', Buffer.from([0x22, 0xff, 0x22]).toString('latin1')]) {
          const { status, json } = await post('/gossip', SECRET, body);
          assert.equal(status, 400);
          assert.equal(typeof json.error, 'string');
          assert.doesNotMatch(json.error, /secret|\bat\b/);
        }
        const plain = await post('/gossip', SECRET, JSON.stringify(message()), { 'content-type': 'text/plain' });
        assert.deepEqual(
          [plain.status, plain.json],
          [
            415,
            {
              error: withLink(
                'SHAZBOT_UNSUPPORTED_BODY',
                'Content-Type: text/plain is not supported: send application/json',
              ),
              code: 'SHAZBOT_UNSUPPORTED_BODY',
            },
          ],
        );
        const gzipped = await post('/gossip', SECRET, '[]', { 'content-encoding': 'gzip' });
        assert.equal(gzipped.status, 415);
      });

      test('never take parsed JSON for a stream, whatever properties it has', async () => {
        const body = { readable: true, readableDidRead: false, pipe: true, on: null };
        for (const mount of mounts) {
          // The parser has read it before anything shows whether the sender has the secret.
          assert.equal((await post('/gossip', SIGNED, body, {}, mount)).status, 401, mount);
          assert.equal((await post('/gossip', SECRET, body, {}, mount)).status, 400, mount);
        }
      });

      test('survive a client that disconnects in the middle of a request', async () => {
        const socket = net.connect(Number(new URL(String(servers[n]?.baseUrl)).port), '127.0.0.1');
        const head = requestHead('gossip', `Authorization: ${SECRET}`, 'Content-Length: 1000');
        await new Promise((resolve) => socket.write(`${head}{"message"`, resolve));
        socket.destroy();
        assert.equal((await post('/gossip', SECRET, message())).status, 200);
        assert.equal(servers[n]?.stderr, '');
      });

      test('read a body that arrives in thousands of pieces', async () => {
        const url = new URL(`${servers[n]?.baseUrl}clustershazbot/gossip`);
        const text = `${JSON.stringify(message())}${' '.repeat(20_000)}`;
        const headers = { authorization: SECRET, 'content-type': 'application/json' };
        const [response] = await new Promise((resolve, reject) => {
          const sending = http.request(url, { method: 'POST', headers }, (...args) => resolve(args));
          sending.on('error', reject);
          for (const character of text) sending.write(character);
          sending.end();
        });
        response.resume();
        assert.equal(response.statusCode, 200);
      });

      test('name the allowed methods of a route in an Allow header', async () => {
        const wrong = await post('/list', SECRET, {});
        assert.deepEqual([wrong.status, wrong.headers.allow], [405, 'GET, HEAD, OPTIONS']);
        assert.deepEqual(wrong.json, {
          error: withLink('SHAZBOT_METHOD', 'Method POST is not allowed here: use GET, HEAD, OPTIONS'),
          code: 'SHAZBOT_METHOD',
        });
        assert.equal((await ask('/gossip', { method: 'DELETE' })).headers.allow, 'POST, OPTIONS');
        const options = await ask('/gossip', { method: 'OPTIONS' });
        assert.deepEqual([options.status, options.headers.allow], [204, 'POST, OPTIONS']);
        const [get, head] = [await ask('/list'), await ask('/list', { method: 'HEAD' })];
        assert.deepEqual([head.status, head.text], [200, '']);
        assert.equal(head.headers['content-length'], get.headers['content-length']);
      });

      test('leave requests to other paths to the application', async () => {
        for (const route of ['/nothing', '/list/more', '/constructor', 'more/list']) {
          const { status, json } = await ask(route, { method: 'POST', body: { mine: true } });
          const expected = kind === 'http' ? { error: 'Not Found' } : { own: { mine: true } };
          assert.deepEqual([status, json], [404, expected]);
        }
      });

      test('answer exact paths only: a proxy may guard them by name', async () => {
        for (const route of [
          'CLUSTERSHAZBOT/list',
          'CLUSTERSHAZBOT/clustershazbot/list',
          'clustershazbot/clustershazbot/list',
          'clustershazbot/LIST',
          'clustershazbot/%6cist',
          'clustershazbot//list',
          '/clustershazbot/list',
        ]) {
          assert.equal((await request(`${servers[n]?.baseUrl}${route}`)).status, 404, route);
        }
      });

      test('do not send a list again that the client has', async () => {
        const { etag } = (await ask('/list')).headers;
        await until(
          async () => {
            const first = await ask('/list');
            const again = await ask('/list', { headers: { 'if-none-match': String(first.headers.etag) } });
            return again.status === 304 && again.text === '';
          },
          { every: 1, what: 'nothing has changed' },
        );
        const all = await ask('/list', { headers: { authorization: CONTROL_SECRET, 'if-none-match': String(etag) } });
        assert.equal(all.status, 200, 'with the offline servers it is another one');
      });

      test('serve the status for the control secret, with an ETag that changes only when something happened', async () => {
        for (const authorization of ['', SECRET]) {
          const { status, json } = await ask('/status', { headers: { authorization } });
          const error = 'Unauthorized: Invalid SHAZBOT_CONTROL_SECRET';
          assert.deepEqual([status, json], [401, { error, code: 'SHAZBOT_UNAUTHORIZED' }]);
        }
        const headers = { authorization: CONTROL_SECRET };
        const answer = await ask('/status', { headers });
        assert.equal(answer.status, 200);
        assert.equal(answer.json.baseUrl, servers[n]?.baseUrl);
        assert.ok(Math.abs(answer.json.at - Date.now()) < 60_000);
        assert.match(String(answer.headers.etag), /^W\/"[\w-]{43}"$/);
        // An exchange between the two requests changes the ETag.
        await until(
          async () => {
            const etag = String((await ask('/status', { headers })).headers.etag);
            const again = await ask('/status', { headers: { ...headers, 'if-none-match': etag } });
            return again.status === 304 && again.text === '';
          },
          { every: 1, what: 'the ETag still matches' },
        );
      });

      test('serve the page at the mount path, unless the application turns it off', async () => {
        const { status, headers } = await ask('/');
        assert.equal(status, 200);
        assert.match(String(headers['content-type']), /^text\/html/);
        assert.equal(headers['cache-control'], 'no-cache');
        assert.match(String(headers['content-security-policy']), /default-src 'none'/);
        assert.equal((await ask('?a=b')).status, 200, 'without the trailing slash');
        if (!mounts.includes('without/')) return;
        for (const route of ['', '/']) assert.equal((await ask(route, {}, 'without/')).status, 404);
      });

      test('reject a body that is too large without reading it to its end', { timeout: 20_000 }, async () => {
        for (const [route, authorization, status] of /** @type {const} */ ([
          ['gossip', 'wrong', 401],
          ['gossip', SIGNED, 413],
          ['control', 'wrong', 401],
          ['control', CONTROL_SECRET, 413],
        ])) {
          for (const length of ['Content-Length: 1000000000000', 'Transfer-Encoding: chunked']) {
            const socket = net.connect(Number(new URL(String(servers[n]?.baseUrl)).port), '127.0.0.1');
            socket.write(requestHead(route, `Authorization: ${authorization}`, length));
            let [answer, closed, sent] = ['', false, 0];
            socket.on('data', (chunk) => {
              answer += chunk;
            });
            socket
              .on('error', () => {})
              .on('close', () => {
                closed = true;
              });
            const part = Buffer.alloc(1 << 16, 0x20);
            const chunk = length.startsWith('T')
              ? Buffer.concat([Buffer.from('10000\r\n'), part, Buffer.from('\r\n')])
              : part;
            while (!answer && !closed && sent < 64 << 20) {
              sent += part.length;
              if (!socket.write(chunk)) await setImmediate();
            }
            await until(() => answer || closed, { what: 'an answer' });
            socket.destroy();
            assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), `${route} ${length}, ${sent} bytes sent`);
          }
        }
      });

      test('close the connection of a request that was in progress when the server left', async (t) => {
        const leaver = await start(t, n, { LEAVES: 'yes' });
        const socket = net.connect(Number(new URL(leaver.baseUrl).port), '127.0.0.1');
        let answer = '';
        socket.setEncoding('utf8').on('data', (chunk) => {
          answer += chunk;
        });
        const headers = [`Authorization: ${SECRET}`, 'Content-Length: 2', 'Expect: 100-continue'];
        socket.write(requestHead('gossip', ...headers));
        await until(() => answer.startsWith('HTTP/1.1 100 '), { every: 5, what: 'the request is in progress' });
        leaver.signal('SIGTERM');
        const isClosed = () =>
          request(leaver.baseUrl).then(
            () => false,
            ({ code }) => code === 'ECONNREFUSED',
          );
        await until(isClosed, { every: 5, what: 'the server has stopped listening' });
        socket.write('{}');
        await leaver.ended();
        assert.match(answer, /HTTP\/1\.1 503 [\s\S]*\r\nConnection: close\r\n/i);
      });

      test('answer 503 while the engine is not started', async (t) => {
        const idle = await start(t, n, { START: 'no' });
        const url = `${idle.baseUrl}clustershazbot`;
        const first = await until(() => request(`${url}/list`), { what: 'the server listens' });
        // A server that has left may be about to end, and a kept-alive connection would delay that.
        assert.equal((await fetch(`${url}/list`)).headers.get('connection'), 'close');
        assert.equal(
          (await fetch(`${servers[n]?.baseUrl}clustershazbot/list`)).headers.get('connection'),
          'keep-alive',
        );
        const headers = { authorization: CONTROL_SECRET };
        const body = { message: 'control', online: true };
        const control = await request(`${url}/control`, { method: 'POST', headers, body });
        for (const { status, json } of [first, control, await request(`${url}/status`, { headers })]) {
          assert.deepEqual(
            [status, json],
            [503, { error: 'Clustershazbot engine not started', code: 'SHAZBOT_NOT_STARTED' }],
          );
        }
      });
    });
  }

  test("do not shadow the application's own paths when mounted without a path", async () => {
    const express = await request(`${servers[0]?.baseUrl}api/status`);
    assert.deepEqual([express.status, express.json], [200, 'own']);
    for (const n of [0, 2]) assert.equal((await request(`${servers[n]?.baseUrl}api/clustershazbot/list`)).status, 200);
  });

  test('accept a compressed body that a body parser has inflated', async () => {
    for (const n of [0, 1]) {
      const body = gzipSync(JSON.stringify(message()));
      const { status } = await fetch(`${servers[n]?.baseUrl}parsed/clustershazbot/gossip`, {
        method: 'POST',
        headers: { authorization: SECRET, 'content-type': 'application/json', 'content-encoding': 'gzip' },
        body,
      });
      assert.equal(status, 200);
    }
  });

  test("accept a trailing slash on Express and Node's own server", async () => {
    for (const base of [`${servers[0]?.baseUrl}`, `${servers[0]?.baseUrl}api/`, `${servers[3]?.baseUrl}`])
      assert.equal((await request(`${base}clustershazbot/list/`)).status, 200, base);
  });

  test('accept a trailing slash on Fastify if it ignores trailing slashes', async (t) => {
    const server = await start(t, 2, { SLASHES: 'ignored' });
    assert.equal((await request(`${server.baseUrl}clustershazbot/`)).status, 200);
    assert.equal((await request(`${server.baseUrl}clustershazbot/list/`)).status, 200);
  });

  test('need no more memory for a body in many pieces than for one in few', async () => {
    const { code, stderr } = await runToEnd([
      '--max-old-space-size=64',
      path.join(__dirname, 'integrations', 'pieces.js'),
    ]);
    assert.equal(code, 0, stderr);
  });

  test('close the connection if a body takes longer than 30 s', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const server = http.createServer(
      (req) => void readBody(req, undefined, { limit: 100, hasSecret: true }).catch(() => {}),
    );
    const [port] = await freePorts(1);
    await listen(server, Number(port));
    t.after(() => close(server));
    const asked = once(server, 'request');
    const socket = net.connect(Number(port), '127.0.0.1');
    const ended = once(socket, 'close');
    socket.write(`${requestHead('gossip', 'Content-Length: 100')}{`);
    const [req] = await asked;
    t.mock.timers.tick(29_999);
    assert.equal(req.destroyed, false);
    t.mock.timers.tick(1);
    await ended;
  });

  for (const [n, [name]] of variants.entries()) {
    // These tests come last because they add thousands of entries to the server lists.
    test(`accept bodies of up to 8 MiB with the gossip secret, and 256 KiB without it, on ${name}`, async () => {
      /**
       * @param {'gossip' | 'control'} route
       * @param {string} authorization
       * @param {unknown} body
       * @param {Record<string, string>} [headers]
       */
      const post = async (route, authorization, body, headers) => {
        const url = `${servers[n]?.baseUrl}clustershazbot/${route}`;
        const { status, json } = await request(url, { method: 'POST', headers: { authorization, ...headers }, body });
        return [status, status === 200 || json.error];
      };
      const many = message([], manyEntries());
      assert.deepEqual(await post('gossip', SECRET, many), [200, true]);
      assert.deepEqual(await post('gossip', 'wrong', many), [401, 'Unauthorized: Invalid SHAZBOT_SECRET']);
      // As much as a signed message can have.
      assert.deepEqual(await post('gossip', SIGNED, many), [
        413,
        withLink('SHAZBOT_TOO_LARGE', 'The body is larger than 262144 bytes'),
      ]);
      const larger = ' '.repeat((8 << 20) + 1);
      assert.deepEqual(await post('gossip', SECRET, larger), [
        413,
        withLink('SHAZBOT_TOO_LARGE', 'The body is larger than 8388608 bytes'),
      ]);
      const chunked = { 'transfer-encoding': 'chunked' };
      const spaces = ' '.repeat(4097);
      assert.deepEqual(await post('control', CONTROL_SECRET, spaces, chunked), [
        413,
        withLink('SHAZBOT_TOO_LARGE', 'The body is larger than 4096 bytes'),
      ]);
    });
  }
});

/** As many offline entries as a version 1 server may send. */
function manyEntries() {
  return Array.from({ length: 4_000 }, (_, i) => entry(`http://127.0.0.1:${20_000 + i}/gone/`, 1_000));
}
