'use strict';

// What those who read the list and the status cost the process, however often they ask and however slowly they read.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const net = require('node:net');
const { after, before, describe, test } = require('node:test');

const { CONTROL_SECRET, SECRET } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { entry, message } = require('../harness/gossip.js');
const { close, listen, request } = require('../harness/http.js');
const { MeasuredServer, assertRuns } = require('./support/measured-server.js');

describe('the list of 10 000 servers', { concurrency: 1 }, () => {
  const server = new MeasuredServer();
  before(() => server.start({ TEST_SERVERS: '10000' }));
  after(() => server.end());

  test('costs little in the status too', async (t) => {
    const ask = () => request(`${server.baseUrl}clustershazbot/status`, { headers: { authorization: CONTROL_SECRET } });
    await ask();
    const cost = await server.cost(t, async () => {
      for (let n = 0; n < 10; n++) assert.equal((await ask()).json.members.length, 10_001);
    });
    assertRuns(cost);
  });

  test('is not sent again to a client that has it', async () => {
    const url = `${server.baseUrl}clustershazbot/list`;
    const { headers, json } = await request(url);
    assert.equal(json.online.length, 10_001);
    assert.deepEqual(Object.keys(json.online[0]), ['baseUrl', 'monitor', 'lastUpdate']);
    const again = await request(url, { headers: { 'if-none-match': String(headers.etag) } });
    assert.deepEqual([again.status, again.text], [304, '']);
  });

  // Processor time in ms, most of which is Node's own. Building a response for each request takes 4 ms and more.
  for (const [method, most] of /** @type {const} */ ([
    ['GET', 3],
    ['HEAD', 2],
  ])) {
    test(`costs little, however often it is asked for with ${method}`, async (t) => {
      const ask = () => request(`${server.baseUrl}clustershazbot/list`, { method });
      for (let n = 0; n < 5; n++) await ask();
      const COUNT = 40;
      const began = await server.order('usage');
      for (let n = 0; n < COUNT; n++) assert.equal((await ask()).status, 200);
      const each = ((await server.order('usage')) - began) / COUNT;
      t.diagnostic(`${each.toFixed(2)} ms each`);
      assert.ok(each < most, `${each} ms`);
    });
  }
});

test('a list that is not read does not stay in memory', async (t) => {
  const { baseUrl, shazbotGossipRequest } = await startEngine(t);
  // More than the buffers of the system take.
  const url = (/** @type {number} */ n) => `http://10.0.${n >> 8}.${n & 255}/${'x'.repeat(400)}/`;
  for (let n = 0; n < 24_000; n += 1_000) {
    await shazbotGossipRequest(SECRET, message(Array.from({ length: 1_000 }, (_, i) => entry(url(n + i)))));
  }
  // The same copy of the package as the engine's.
  const server = http.createServer(require('../lib/express.js').shazbotRouter());
  const { port } = new URL(baseUrl);
  await listen(server, Number(port));
  t.after(() => close(server));
  t.mock.timers.enable({ apis: ['setTimeout'] });

  const asked = once(server, 'request');
  const socket = net.connect(Number(port), '127.0.0.1').pause();
  t.after(() => socket.destroy());
  socket.write('GET /clustershazbot/list HTTP/1.1\r\nHost: a\r\n\r\n');
  const [{ socket: connection }] = await asked;
  const closed = once(connection, 'close');
  for (let n = 0; n < 10; n++) await new Promise(setImmediate);
  t.mock.timers.tick(29_999);
  assert.equal(connection.destroyed, false);
  t.mock.timers.tick(1);
  await closed;

  const agent = new http.Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  /** @type {net.Socket} */
  const read = await new Promise((resolve, reject) => {
    http.get(`${baseUrl}clustershazbot/list`, { agent }, (response) => {
      const { socket } = response;
      response.on('end', () => resolve(socket)).on('error', reject);
      response.resume();
    });
  });
  for (let n = 0; n < 10; n++) await new Promise(setImmediate);
  t.mock.timers.tick(30_000);
  for (let n = 0; n < 10; n++) await new Promise(setImmediate);
  assert.equal(read.destroyed, false, 'a client that reads it keeps its connection');
});
