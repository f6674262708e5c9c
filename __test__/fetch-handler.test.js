'use strict';

// The routes for servers that work with the Fetch API's Request and Response.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { CONTROL_SECRET, SECRET } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { message } = require('../harness/gossip.js');

describe('the handler for Request and Response', () => {
  // Loaded after the engine, which has replaced the files of the package.
  const handlerOf = (/** @type {import('../lib/express.d.ts').ShazbotRouterOptions} */ options = {}) =>
    /** @type {typeof import('../lib/fetch-handler.d.ts')} */ (require('../lib/fetch-handler.js')).shazbotHandler(
      options,
    );
  /** @param {string} path @param {RequestInit & { duplex?: string }} [init] */
  const ask = (path, init) => handlerOf()(new Request(`http://app:3000${path}`, init));
  /** @param {string} authorization @param {any} body @param {Record<string, string>} [headers] */
  const gossip = (authorization, body, headers) =>
    ask('/clustershazbot/gossip', {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json', ...headers },
      body,
      duplex: 'half',
    });

  test('answers gossip, lists, control, status and the page, also below a path', async (t) => {
    const { baseUrl } = await startEngine(t);
    for (const path of ['', '/app/v1']) {
      const list = await ask(`${path}/clustershazbot/list?all`);
      assert.deepEqual([list.status, /** @type {any} */ (await list.json()).online[0].baseUrl], [200, baseUrl]);
      assert.equal(list.headers.get('cache-control'), 'no-store');
      const page = await ask(`${path}/clustershazbot/`);
      assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
    }
    const answer = await gossip(SECRET, JSON.stringify(message()));
    assert.deepEqual([answer.status, /** @type {any} */ (await answer.json()).message], [200, 'gossip']);
    const authorization = CONTROL_SECRET;
    const body = JSON.stringify({ message: 'control', online: true });
    assert.equal(
      (await ask('/clustershazbot/control', { method: 'POST', headers: { authorization }, body })).status,
      415,
    );
    const json = { authorization, 'content-type': 'application/json' };
    assert.equal((await ask('/clustershazbot/control', { method: 'POST', headers: json, body })).status, 200);
    const status = await ask('/clustershazbot/status', { headers: { authorization } });
    const { etag = '' } = Object.fromEntries(status.headers);
    const again = await ask('/clustershazbot/status', { headers: { authorization, 'if-none-match': etag } });
    assert.deepEqual([again.status, await again.text()], [304, '']);
  });

  test('reads a body that comes in parts, and refuses one that is too large or without the secret', async (t) => {
    await startEngine(t);
    const text = JSON.stringify(message());
    const parts = new ReadableStream({
      start(controller) {
        for (const char of text) controller.enqueue(new TextEncoder().encode(char));
        controller.close();
      },
    });
    assert.equal((await gossip(SECRET, parts)).status, 200);
    assert.equal((await gossip(SECRET, ' '.repeat((8 << 20) + 1))).status, 413);
    assert.equal((await gossip('wrong', text)).status, 401);
    assert.equal((await gossip(SECRET, '')).status, 400);
    const read = new Request('http://app/clustershazbot/gossip', { method: 'POST', body: text });
    await read.text();
    await assert.rejects(handlerOf()(read), /has been read/);
  });

  test('answers 404 to other paths, whatever their case and encoding, and 405 to other methods', async (t) => {
    await startEngine(t);
    const others = [
      '/',
      '/list',
      '/CLUSTERSHAZBOT/list',
      '/clustershazbot/%6cist',
      '/clustershazbot/clustershazbot/list',
    ];
    for (const path of others) assert.equal((await ask(path)).status, 404, path);
    assert.equal((await ask('/clustershazbot/gossip')).status, 405);
    assert.equal((await handlerOf({ page: false })(new Request('http://app/clustershazbot/'))).status, 404);
  });
});
