'use strict';

const assert = require('node:assert/strict');
const { writeFileSync } = require('node:fs');
const http = require('node:http');
const { describe, test } = require('node:test');

const { CONTROL_SECRET, SECRET, fileList } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { catchWarnings, startEngine } = require('../harness/engine.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { entry, message } = require('../harness/gossip.js');
const { close, listen } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/** @typedef {import('../harness/cluster.js').Scope} Scope */

/**
 * A listener that nothing should reach, and all that reached it.
 *
 * @param {Scope} scope
 */
async function startTrap(scope) {
  const [port] = await freePorts(1);
  /** @type {string[]} */
  const received = [];
  const server = http.createServer((req, res) => {
    received.push(`${req.method} ${req.headers.authorization}`);
    res.end('{"message":"gossip","online":[],"offline":[]}');
  });
  await listen(server, /** @type {number} */ (port));
  scope.after(() => close(server));
  return { port: /** @type {number} */ (port), received };
}

/**
 * An engine that hears of a trap and of a good peer, from its list and from gossip.
 *
 * @param {Scope} scope
 * @param {(port: number) => string} urlOf of the trap
 * @param {(peer: string) => Record<string, string>} env
 */
async function tempted(scope, urlOf, env) {
  const [trap, peer] = await Promise.all([startTrap(scope), startFakePeer(scope)]);
  const bad = urlOf(trap.port);
  const list = fileList();
  writeFileSync(list.file, JSON.stringify({ online: [{ baseUrl: bad }, { baseUrl: peer.baseUrl }] }));
  const warnings = catchWarnings(scope);
  const often = { SHAZBOT_GOSSIP_INTERVAL: '0.2', ...list.env };
  const engine = await startEngine(scope, { ...often, ...env(peer.baseUrl) });
  await engine.shazbotGossipRequest(SECRET, message([entry(bad), entry(peer.baseUrl)]));
  await engine.shazbotGossipRequest(SECRET, message([entry(bad)]));
  const skipped = () =>
    warnings.filter(({ code, message: text }) => code === 'SHAZBOT_ENTRY_SKIPPED' && text.includes(bad));
  const known = () => {
    const { online, offline = [] } = engine.shazbotGetServerList(true);
    return [...online, ...offline].map(({ baseUrl }) => baseUrl);
  };
  return { engine, trap, peer, bad, skipped, known };
}

describe('a server whose origin is not allowed is never listed and never contacted, and named once', {
  concurrency: false,
}, () => {
  test('one that SHAZBOT_ALLOWED_ORIGINS does not name', async (t) => {
    const { engine, trap, peer, bad, skipped, known } = await tempted(
      t,
      (port) => `http://127.0.0.1:${port}/`,
      (good) => ({
        SHAZBOT_ALLOWED_ORIGINS: `${good.slice(0, -1)},http://localhost:9`,
        SHAZBOT_BASE_URL: 'http://localhost:9/',
      }),
    );
    await until(() => peer.received.length >= 5, { what: 'some rounds' });
    assert.deepEqual(known().sort(), [engine.baseUrl, peer.baseUrl].sort());
    assert.deepEqual(trap.received, []);
    assert.equal(skipped().length, 1, bad);
    assert.match(skipped()[0]?.message ?? '', /its origin is not among SHAZBOT_ALLOWED_ORIGINS/);
  });

  test('one at a loopback address, where this server is not', async (t) => {
    const { trap, skipped, known, bad } = await tempted(
      t,
      (port) => `http://localhost:${port}/`,
      () => ({ SHAZBOT_BASE_URL: 'http://192.0.2.1:3000/' }),
    );
    assert.match(skipped()[0]?.message ?? '', /loopback/);
    await during(1_000, () => {
      assert.ok(!known().includes(bad));
      assert.deepEqual(trap.received, []);
    });
  });

  test('one that is http, where this server is https', async (t) => {
    const { trap, skipped, known, bad } = await tempted(
      t,
      (port) => `http://127.0.0.1:${port}/`,
      () => ({ SHAZBOT_BASE_URL: 'https://127.0.0.1:3000/' }),
    );
    assert.match(skipped()[0]?.message ?? '', /in clear/);
    await during(1_000, () => {
      assert.ok(!known().includes(bad));
      assert.deepEqual(trap.received, []);
    });
  });
});

test('an allowed origin that this server itself is not among is a mistake', async (t) => {
  const start = startEngine(t, { SHAZBOT_ALLOWED_ORIGINS: 'https://*.cluster.internal:3000' });
  await assert.rejects(start, {
    code: 'SHAZBOT_INVALID_CONFIG',
    message: /SHAZBOT_BASE_URL, http:.*, is not among them/,
  });
});

describe('an update of the master list', () => {
  /**
   * A store that sends every PUT somewhere else.
   *
   * @param {Scope} scope
   * @param {(port: number) => string} location
   */
  async function startRedirect(scope, location) {
    const [port] = await freePorts(1);
    /** @type {string[]} */
    const seen = [];
    const server = http.createServer((req, res) => {
      seen.push(`${req.method} ${req.url} ${req.headers.authorization}`);
      if (req.url !== '/list') return res.end();
      res.writeHead(307, { location: location(/** @type {number} */ (port)) }).end();
    });
    await listen(server, /** @type {number} */ (port));
    scope.after(() => close(server));
    return { url: `http://127.0.0.1:${port}/list`, seen };
  }

  test('follows a redirect within its origin, and no other', async (t) => {
    const trap = await startTrap(t);
    const store = await startStore(t, { list: { online: [] } });
    const auth = store.env.SHAZBOT_MASTER_LIST_UPDATE_AUTH;
    const [good, bad] = await Promise.all([
      startRedirect(t, () => '/moved'),
      startRedirect(t, () => `http://localhost:${trap.port}/moved`),
    ]);
    await startEngine(t, { ...store.env, SHAZBOT_MASTER_LIST_UPDATE: good.url });
    await until(() => good.seen.includes(`PUT /moved ${auth}`), { what: 'the update has moved with its header' });
    await startEngine(t, { ...store.env, SHAZBOT_MASTER_LIST_UPDATE: bad.url });
    await until(() => bad.seen.length >= 2, { what: 'it is tried, and tried again' });
    assert.deepEqual(trap.received, []);
  });

  test('keeps the servers that this one may not list', async (t) => {
    const list = fileList();
    writeFileSync(list.file, JSON.stringify({ online: [{ baseUrl: 'http://elsewhere:3000/' }] }));
    const warnings = catchWarnings(t);
    const env = { SHAZBOT_BASE_URL: 'https://127.0.0.1:9/', SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '1', ...list.env };
    const engine = await startEngine(t, env);
    await until(() => list.servers().includes(engine.baseUrl), { what: 'it has written itself into the list' });
    assert.deepEqual(list.servers(), ['http://elsewhere:3000/', engine.baseUrl].sort());
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['SHAZBOT_ENTRY_SKIPPED'],
    );
  });
});

test('with SHAZBOT_LIST_AUTH=required the list asks for one of the secrets', async (t) => {
  const engine = await startEngine(t, {
    SHAZBOT_LIST_AUTH: 'required',
    SHAZBOT_CONTROL_SECRET_ALSO: 'the next control secret',
  });
  for (const wrong of ['', 'wrong', undefined]) {
    await assert.rejects(engine.shazbotListRequest(/** @type {any} */ (wrong)), {
      code: 'SHAZBOT_UNAUTHORIZED',
      status: 401,
    });
  }
  assert.deepEqual(Object.keys(await engine.shazbotListRequest(SECRET)), ['online']);
  for (const secret of [CONTROL_SECRET, 'the next control secret']) {
    assert.deepEqual(Object.keys(await engine.shazbotListRequest(secret)), ['online', 'offline']);
  }
});

test('a secret that is short, or the same for both, is a warning that does not show it', async (t) => {
  const warnings = catchWarnings(t);
  await startEngine(t, { SHAZBOT_SECRET: 'hunter2', SHAZBOT_CONTROL_SECRET: 'hunter2' });
  await until(() => warnings.length === 3, { what: 'three warnings' });
  for (const { code, message: text } of warnings) {
    assert.equal(code, 'SHAZBOT_WEAK_SECRET');
    assert.ok(!text.includes('hunter2'));
  }
});

test('a peer that says our secret back does not bring it into a log', async (t) => {
  const peer = await startFakePeer(t, {
    answer: ({ authorization }) => ({ status: 500, body: { error: `I know ${authorization}` } }),
  });
  /** @type {string[]} */
  const logs = [];
  const { subscribe, unsubscribe } = require('node:diagnostics_channel');
  const note = (/** @type {any} */ { message: text }) => logs.push(text);
  subscribe('clustershazbot:log', note);
  t.after(() => unsubscribe('clustershazbot:log', note));
  const engine = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '0.2' });
  await engine.shazbotGossipRequest(SECRET, message([peer.entry()]));
  await until(() => logs.some((text) => text.includes('I know ***')), { what: 'the failure is logged' });
  assert.ok(!logs.some((text) => text.includes(SECRET)));
});
