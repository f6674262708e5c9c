'use strict';

// Somebody who cannot sign sends captured signed messages again: nothing is changed, and nothing is read.

const assert = require('node:assert/strict');
const { subscribe, unsubscribe } = require('node:diagnostics_channel');
const { writeFileSync } = require('node:fs');
const http = require('node:http');
const { test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');

const { fastClock } = require('./support/clock.js');
const { agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { gossip } = require('../harness/gossip.js');
const { close, listen, readBody } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { refusedWith, sign, signAnswer, timeOf } = require('../harness/signed.js');
const { until } = require('../harness/until.js');

/** @typedef {{ authorization: string, body: string }} Captured */

/**
 * A tap on the way to a server, which captures the gossip that passes it.
 *
 * @param {import('../harness/cluster.js').Scope} scope
 * @param {number} to port of the server
 */
async function startTap(scope, to) {
  const [port] = await freePorts(1);
  /** @type {Captured[]} */
  const captured = [];
  const tap = http.createServer(async (req, res) => {
    const { method, url, headers } = req;
    const body = await readBody(req);
    if (method === 'POST' && url?.endsWith('/gossip')) {
      captured.push({ authorization: headers.authorization ?? '', body });
    }
    const passed = http.request({ host: '127.0.0.1', port: to, method, path: url, headers, agent: false }, (answer) => {
      res.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(res);
    });
    passed.on('error', () => req.socket.destroy());
    passed.end(body);
  });
  await listen(tap, /** @type {number} */ (port));
  scope.after(() => close(tap));
  return { captured, baseUrl: `http://127.0.0.1:${port}/` };
}

const SIGNED = { SHAZBOT_AUTH: 'signed', SHAZBOT_GOSSIP_INTERVAL: '5' };

test('a captured message is handled once: not again at once, later, elsewhere, or after a restart', async (t) => {
  const env = { ...SIGNED, ...fastClock(5), ...fileList().env };
  const [port] = /** @type {[number]} */ (await freePorts(1));
  const tap = await startTap(t, port);
  const server = await startServer(t, { port, baseUrl: tap.baseUrl, env });
  const others = await startServers(t, 2, { env });
  const [one, other] = /** @type {[typeof server, typeof server]} */ (others);
  const all = [server, one, other];
  await agree(all, { online: all });
  await until(() => tap.captured.length >= 10, { what: 'gossip on the way to the server' });
  const captured = [...tap.captured];

  const assertRefused = async (/** @type {string} */ when) => {
    for (const { authorization, body } of captured) {
      const { status, json } = await gossip(server.baseUrl, body, { authorization });
      assert.equal(status, 200, when);
      assert.ok(refusedWith(json), `${when}: ${JSON.stringify(json)}`);
      assert.deepEqual([json.online, json.offline], [[], []], when);
    }
  };
  await assertRefused('at once');
  for (const { authorization, body } of captured) {
    const { json } = await gossip(other.baseUrl, body, { authorization });
    assert.match(json.error, /^The message is for another server/);
  }
  // A repeated message of a dead server is not a sign of life.
  await one.kill();
  const living = [server, other];
  let isKnown = false;
  await Promise.all([
    agree(living, { online: living, offline: [one] }).finally(() => {
      isKnown = true;
    }),
    (async () => {
      while (!isKnown) await assertRefused('while the death of its sender is found');
    })(),
  ]);
  // 20 s of the servers' time.
  await sleep(4_000);
  await assertRefused('20 s later');
  assert.deepEqual(await server.view(), {
    online: living.map(({ baseUrl }) => baseUrl).sort(),
    offline: [one.baseUrl],
  });
  await server.kill();
  await server.restart();
  await assertRefused('after a restart');
  await agree(living, { online: living, offline: [one] });
});

test('repeated messages use up nothing of what a server handles for their sender', async (t) => {
  const engine = await startEngine(t, { SHAZBOT_AUTH: 'signed' });
  const peer = await startFakePeer(t);
  const send = (/** @type {ReturnType<typeof sign>} */ { authorization, body }) =>
    engine.shazbotGossipRequest(authorization, body);
  const field = `2 so${Date.now()}>${peer.baseUrl}>${Date.now()}.1`;
  const time = await timeOf(engine.baseUrl, send);
  const captured = sign(engine.baseUrl, field, { time });
  assert.equal(refusedWith(await send(captured)), undefined, 'the first time');
  const list = JSON.stringify(engine.shazbotGetServerList(true));
  for (let n = 0; n < 3_000; n++) assert.ok(refusedWith(await send(captured)));
  assert.equal(JSON.stringify(engine.shazbotGetServerList(true)), list);
  assert.equal(refusedWith(await send(sign(engine.baseUrl, field, { time }))), undefined);
  const unsigned = sign(engine.baseUrl, field, { secret: 'another secret altogether', time });
  await assert.rejects(send(unsigned), { code: 'SHAZBOT_UNAUTHORIZED' }, 'it is told no time');
});

test('messages of 12 servers, repeated 1 000 times a second, list no healthy server offline', async (t) => {
  const list = fileList();
  const incarnation = Date.now();
  const own = (/** @type {string} */ url) => `2 so${Date.now()}>${url}>${incarnation}.1`;
  const senders = await Promise.all(
    Array.from({ length: 12 }, async () => {
      const peer = await startFakePeer(t);
      peer.answer = ({ authorization = '' }) => ({
        body: signAnswer(authorization, peer.baseUrl, `${own(peer.baseUrl)} t5eed.70000`),
      });
      return peer;
    }),
  );
  const env = { ...list.env, SHAZBOT_AUTH: 'signed', SHAZBOT_GOSSIP_INTERVAL: '1' };
  const servers = await startServers(t, 3, { env });
  const [victim] = /** @type {[typeof servers[0]]} */ (servers);
  const send = async (/** @type {ReturnType<typeof sign>} */ { authorization, body }) =>
    (await gossip(victim.baseUrl, body, { authorization })).json;
  const time = await timeOf(victim.baseUrl, send);
  const captured = senders.map(({ baseUrl }) => sign(victim.baseUrl, own(baseUrl), { time }));
  for (const message of captured) assert.equal(refusedWith(await send(message)), undefined, 'the first time');
  await until(async () => (await victim.view()).online.length === 15, { what: 'the victim lists all' });

  for (const server of servers) server.events.length = 0;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
  t.after(() => agent.destroy());
  const repeat = (/** @type {ReturnType<typeof sign>} */ { authorization, body }) => {
    const headers = { authorization, 'content-type': 'application/json' };
    const call = http.request(`${victim.baseUrl}clustershazbot/gossip`, { method: 'POST', headers, agent }, (answer) =>
      answer.resume().on('close', () => answered++),
    );
    call.on('error', () => {});
    call.end(JSON.stringify(body));
  };
  let answered = 0;
  let sent = 0;
  const end = Date.now() + 8_000;
  while (Date.now() < end) {
    // On a busy machine fewer are sent: those that wait for their turn would only fill the memory of the test.
    for (let n = 0; n < 10 && sent - answered < 200; n++, sent++)
      repeat(captured[sent % captured.length] ?? assert.fail());
    await sleep(10);
  }
  t.diagnostic(`${answered} repeated messages were answered`);
  assert.ok(answered > 500);
  const urls = servers.map(({ baseUrl }) => baseUrl);
  for (const { events, baseUrl } of servers) {
    const lost = events.filter((event) => event.type === 'offline' && urls.includes(event.baseUrl));
    assert.deepEqual(lost, [], baseUrl);
  }
  for (const { online } of await Promise.all(servers.map((server) => server.view()))) {
    for (const url of urls) assert.ok(online.includes(url), `${url} is listed`);
  }
});

test('a first contact takes exactly one more request, and so does one after a restart', async (t) => {
  const peer = await startFakePeer(t);
  const list = fileList();
  writeFileSync(list.file, JSON.stringify({ online: [{ baseUrl: peer.baseUrl }] }));
  const began = Date.now();
  let boot = '5eed';
  /** @type {{ nonce: string, time: string, body: string, handled: boolean }[]} */
  const requests = [];
  peer.answer = ({ authorization = '', body }) => {
    const [, nonce = '', time = ''] = authorization.split(' ');
    const handled = time.startsWith(`${boot}.`);
    requests.push({ nonce, time, body: body.shazbot, handled });
    const own = `2 so${Date.now()}>${peer.baseUrl}>${began}.1 t`;
    const field = `${handled ? own : '2 n'}${boot}.${70_000 + Date.now() - began}`;
    return { body: signAnswer(authorization, peer.baseUrl, field) };
  };
  const engine = await startEngine(t, { SHAZBOT_AUTH: 'signed', SHAZBOT_GOSSIP_INTERVAL: '0.3', ...list.env });
  await until(() => requests.length >= 6, { what: 'some exchanges' });
  const [first, second] = requests;
  assert.equal(first?.time, '0.0');
  assert.ok(second?.handled);
  assert.equal(second.body, first.body);
  assert.notEqual(second.nonce, first.nonce);
  boot = 'beef';
  await until(() => requests.at(-1)?.handled && requests.at(-1)?.time.startsWith('beef.'), { what: 'its new time' });
  await until(() => requests.filter(({ time }) => time.startsWith('beef.')).length >= 3, { what: 'more exchanges' });
  assert.equal(requests.filter(({ handled }) => !handled).length, 2);
  for (const { time, handled } of requests) {
    const behind = 70_000 + Date.now() - began - Number(time.split('.')[1]);
    if (handled) assert.ok(behind >= -50 && behind < 30_000, time);
  }
  assert.ok(engine.shazbotGetServerList().online.some(({ baseUrl }) => baseUrl === peer.baseUrl));
});

test('a peer that calls every message late is tried twice, and its log record says why', async (t) => {
  const peer = await startFakePeer(t);
  const list = fileList();
  writeFileSync(list.file, JSON.stringify({ online: [{ baseUrl: peer.baseUrl }] }));
  peer.answer = ({ authorization = '' }) => ({ body: signAnswer(authorization, peer.baseUrl, '2 n5eed.7') });
  /** @type {any[]} */
  const logs = [];
  const onLog = (/** @type {unknown} */ record) => logs.push(record);
  subscribe('clustershazbot:log', onLog);
  t.after(() => unsubscribe('clustershazbot:log', onLog));
  await startEngine(t, { SHAZBOT_AUTH: 'signed', ...list.env });
  await until(() => logs.some(({ code }) => code === 'EXCHANGE_FAILED'), { what: 'a log record' });
  assert.match(logs.find(({ code }) => code === 'EXCHANGE_FAILED').message, /late or repeated, twice/);
  const bodies = peer.received.map(({ body }) => body.shazbot);
  assert.equal(bodies.filter((body) => body === bodies[0]).length, 2);
});

test('servers whose clocks differ by an hour exchange signed messages', async (t) => {
  const list = fileList();
  const HOUR = 3_600_000;
  // A clock that has run at twice the speed for an hour is an hour ahead.
  const clock = (/** @type {number} */ ahead) => ({ SHAZBOT_TEST_CLOCK: `2@${Date.now() - ahead}` });
  const env = { SHAZBOT_AUTH: 'signed', SHAZBOT_GOSSIP_INTERVAL: '2', ...list.env };
  const servers = await Promise.all([0, 0, HOUR].map((ahead) => startServer(t, { env: { ...env, ...clock(ahead) } })));
  await agree(servers, { online: servers });
  const failures = servers.flatMap(({ logs }) => logs.filter(({ message }) => message.includes('late or repeated')));
  assert.deepEqual(failures, []);
});
