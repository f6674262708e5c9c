'use strict';

// Which servers the engine contacts and lists, and that secrets go only where they may.

const assert = require('node:assert/strict');
const { subscribe, unsubscribe } = require('node:diagnostics_channel');
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
 * Starts a server that nothing should contact, and notes what does.
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
 * Starts an engine that gets the entries of a trap and of a good peer from its master list and from gossip.
 *
 * @param {Scope} scope
 * @param {(port: number) => string} urlOf the base URL of the trap
 * @param {(peer: string) => Record<string, string>} env
 */
async function startBesideTrap(scope, urlOf, env) {
  const [trap, peer] = await Promise.all([startTrap(scope), startFakePeer(scope)]);
  const bad = urlOf(trap.port);
  const list = fileList();
  writeFileSync(list.file, JSON.stringify({ online: [{ baseUrl: bad }, { baseUrl: peer.baseUrl }] }));
  const warnings = catchWarnings(scope);
  const base = { SHAZBOT_GOSSIP_INTERVAL: '0.2', ...list.env };
  const engine = await startEngine(scope, { ...base, ...env(peer.baseUrl) });
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

/**
 * Collects log records from now on.
 *
 * @param {Scope} scope
 */
function catchLogs(scope) {
  /** @type {{ code: string, message: string }[]} */
  const logs = [];
  const listener = (/** @type {any} */ record) => logs.push(record);
  subscribe('clustershazbot:log', listener);
  scope.after(() => unsubscribe('clustershazbot:log', listener));
  return logs;
}

describe('a server whose origin is not allowed is not listed, not contacted, and reported in one warning', () => {
  test('a server that is not in SHAZBOT_ALLOWED_ORIGINS', async (t) => {
    const { engine, trap, peer, bad, skipped, known } = await startBesideTrap(
      t,
      (port) => `http://127.0.0.1:${port}/`,
      (good) => ({
        SHAZBOT_ALLOWED_ORIGINS: `${good.slice(0, -1)},http://localhost:9`,
        SHAZBOT_BASE_URL: 'http://localhost:9/',
      }),
    );
    await until(() => peer.received.length >= 5, { what: 'several rounds contacted the good peer' });
    assert.deepEqual(known().sort(), [engine.baseUrl, peer.baseUrl].sort());
    assert.deepEqual(trap.received, []);
    assert.equal(skipped().length, 1, bad);
    assert.match(skipped()[0]?.message ?? '', /its origin is not among SHAZBOT_ALLOWED_ORIGINS/);
  });

  for (const [name, host, own, reason] of /** @type {const} */ ([
    ['a server at a loopback address, if the own base URL is not', 'localhost', 'http://192.0.2.1:3000/', /loopback/],
    ['a server over HTTP, if the own base URL is HTTPS', '127.0.0.1', 'https://127.0.0.1:3000/', /in clear/],
  ])) {
    test(name, async (t) => {
      const { trap, skipped, known, bad } = await startBesideTrap(
        t,
        (port) => `http://${host}:${port}/`,
        () => ({ SHAZBOT_BASE_URL: own }),
      );
      assert.match(skipped()[0]?.message ?? '', reason);
      await during(1_000, () => {
        assert.equal(skipped().length, 1);
        assert.ok(!known().includes(bad));
        assert.deepEqual(trap.received, []);
      });
    });
  }
});

test('the start rejects SHAZBOT_ALLOWED_ORIGINS without the origin of the own base URL', async (t) => {
  const start = startEngine(t, { SHAZBOT_ALLOWED_ORIGINS: 'https://*.cluster.internal:3000' });
  await assert.rejects(start, {
    code: 'SHAZBOT_INVALID_CONFIG',
    message: /SHAZBOT_BASE_URL, http:.*, is not among them/,
  });
});

describe('an update of the master list', () => {
  /**
   * Starts a store that redirects every request.
   *
   * @param {Scope} scope
   * @param {(port: number) => string} location
   */
  async function startRedirect(scope, location) {
    const [port] = await freePorts(1);
    /** @type {string[]} */
    const received = [];
    const server = http.createServer((req, res) => {
      received.push(`${req.method} ${req.url} ${req.headers.authorization}`);
      if (req.url !== '/list') return res.end();
      res.writeHead(307, { location: location(/** @type {number} */ (port)) }).end();
    });
    await listen(server, /** @type {number} */ (port));
    scope.after(() => close(server));
    return { url: `http://127.0.0.1:${port}/list`, received };
  }

  test('follows a redirect within its origin, but not to another origin', async (t) => {
    const trap = await startTrap(t);
    const store = await startStore(t, { list: { online: [] } });
    const auth = store.env.SHAZBOT_MASTER_LIST_UPDATE_AUTH;
    const [good, bad] = await Promise.all([
      startRedirect(t, () => '/moved'),
      startRedirect(t, () => `http://localhost:${trap.port}/moved`),
    ]);
    await startEngine(t, { ...store.env, SHAZBOT_MASTER_LIST_UPDATE: good.url });
    await until(() => good.received.includes(`PUT /moved ${auth}`), { what: 'the redirected update with its header' });
    await startEngine(t, { ...store.env, SHAZBOT_MASTER_LIST_UPDATE: bad.url });
    await until(() => bad.received.length >= 2, { what: 'the update is tried twice' });
    assert.deepEqual(trap.received, []);
  });

  test('keeps the entries of servers whose origin is not allowed', async (t) => {
    const list = fileList();
    writeFileSync(list.file, JSON.stringify({ online: [{ baseUrl: 'http://elsewhere:3000/' }] }));
    const warnings = catchWarnings(t);
    const env = { SHAZBOT_BASE_URL: 'https://127.0.0.1:9/', SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '1', ...list.env };
    const engine = await startEngine(t, env);
    await until(() => list.servers().includes(engine.baseUrl), { what: 'the server is in the list' });
    assert.deepEqual(list.servers(), ['http://elsewhere:3000/', engine.baseUrl].sort());
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['SHAZBOT_ENTRY_SKIPPED'],
    );
  });
});

describe('the reading of a redirected master list', () => {
  /**
   * Starts a store that redirects, and an engine that reads its list. Returns the first error of the list.
   *
   * @param {Scope} scope
   * @param {string} location
   */
  async function readRedirected(scope, location) {
    const [port] = await freePorts(1);
    const store = http.createServer((_req, res) => res.writeHead(302, { location }).end());
    await listen(store, /** @type {number} */ (port));
    scope.after(() => close(store));
    const url = `http://127.0.0.1:${port}/list`;
    const logs = catchLogs(scope);
    await startEngine(scope, {
      SHAZBOT_MASTER_LIST: url,
      SHAZBOT_MASTER_LIST_AUTH: 'Bearer the-reading-secret',
      SHAZBOT_MASTER_LIST_UPDATE: url,
      SHAZBOT_MASTER_LIST_UPDATE_AUTH: '',
    });
    return until(() => logs.find(({ code }) => code === 'LIST_FAILED')?.message, { what: 'reading the list fails' });
  }

  for (const address of [
    '169.254.169.254',
    '[fd00:ec2::254]',
    '[fd00:42::42]',
    '[64:ff9b:1::a9fe:a9fe]',
    '100.96.0.96',
  ]) {
    test(`does not go to ${address}, where a cloud keeps credentials`, async (t) => {
      const error = await readRedirected(t, `http://${address}/latest/meta-data/`);
      assert.match(error, /redirects to an address that is link-local, multicast or a cloud's metadata service/);
    });
  }

  test('does not go to another scheme', async (t) => {
    assert.match(await readRedirected(t, 'file:///etc/passwd'), /the store answered 302/);
  });

  test('takes no header to another origin and shows nothing of what is there', async (t) => {
    /** @type {(string | undefined)[]} */
    const received = [];
    const [port] = await freePorts(1);
    const credentials = http.createServer((req, res) => {
      received.push(req.headers.authorization);
      res.end('{"AKIAKEY":"of the machine"}');
    });
    await listen(credentials, /** @type {number} */ (port));
    t.after(() => close(credentials));
    const error = await readRedirected(t, `http://127.0.0.1:${port}/latest/meta-data/`);
    assert.match(error, /it redirects to another origin, and no list is there/);
    assert.ok(!error.includes('AKIA'), error);
    assert.deepEqual([...new Set(received)], [undefined]);
  });
});

test('a master list at an address where a cloud keeps credentials is an error of the configuration', async (t) => {
  const start = startEngine(t, {
    SHAZBOT_MASTER_LIST: 'http://[fd00:ec2::254]/list',
    SHAZBOT_MASTER_LIST_UPDATE_AUTH: '',
  });
  await assert.rejects(start, {
    code: 'SHAZBOT_INVALID_CONFIG',
    message: /SHAZBOT_MASTER_LIST: its address is link-local/,
  });
});

test('SHAZBOT_LIST_AUTH=required protects the server list with the secrets', async (t) => {
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

test('short secrets and equal secrets cause warnings that do not contain them', async (t) => {
  const warnings = catchWarnings(t);
  await startEngine(t, { SHAZBOT_SECRET: 'hunter2', SHAZBOT_CONTROL_SECRET: 'hunter2' });
  await until(() => warnings.length === 3, { what: 'two warnings of short secrets, one of equal secrets' });
  for (const { code, message: text } of warnings) {
    assert.equal(code, 'SHAZBOT_WEAK_SECRET');
    assert.ok(!text.includes('hunter2'));
  }
});

test('the secret is redacted in log records if a peer sends it back', async (t) => {
  const peer = await startFakePeer(t, {
    answer: ({ authorization }) => ({ status: 500, body: { error: `I know ${authorization}` } }),
  });
  const logs = catchLogs(t);
  const engine = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '0.2' });
  await engine.shazbotGossipRequest(SECRET, message([peer.entry()]));
  await until(() => logs.some(({ message: text }) => text.includes('I know ***')), { what: 'the failure is logged' });
  assert.ok(!logs.some(({ message: text }) => text.includes(SECRET)));
});

describe('eight characters of a secret are in no warning and no log record', () => {
  const secret = 'k7Qz1vXc9bNm3Lp5Rt8Wy2Ju6Hg4Fd0Sa+/Ee=Uu_Ii';
  /** @type {[string, (secret: string) => string][]} How a peer says a secret back. */
  const ways = [
    ['without its last character', (it) => it.slice(0, -1)],
    ['without its first characters', (it) => it.slice(5)],
    ['cut to eight characters', (it) => it.slice(10, 18)],
    ['where a long text is cut', (it) => 'x'.repeat(990) + it],
    ['where a longer text is cut', (it) => 'x'.repeat(1_980) + it],
    ['as JSON', (it) => JSON.stringify(JSON.stringify(it).replaceAll('/', '\\/'))],
    ['percent-encoded', (it) => encodeURIComponent(it)],
    ['percent-encoded twice', (it) => encodeURIComponent(encodeURIComponent(it))],
    ['in base64', (it) => Buffer.from(`user:${it}`).toString('base64')],
    ['with invisible characters', (it) => [...it].join('\u200b')],
  ];
  for (const [way, say] of ways) {
    test(`if a peer says it back ${way}`, async (t) => {
      const said = say(secret);
      const peer = await startFakePeer(t, {
        answer: () => ({ status: 421, body: { error: `Wrong cluster: ${said}` } }),
      });
      const logs = catchLogs(t);
      const warnings = catchWarnings(t);
      const engine = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '0.2', SHAZBOT_SECRET: secret });
      await engine.shazbotGossipRequest(secret, message([peer.entry()]));
      await until(() => warnings.length > 0 && logs.some(({ code }) => code === 'EXCHANGE_FAILED'), { what: 'both' });
      for (const { message: text } of [...warnings, ...logs]) {
        for (let at = 0; at + 8 <= said.length; at += 1) {
          const part = said.slice(at, at + 8);
          assert.ok(/^x+$/.test(part) || !text.includes(part), `${part} in ${text}`);
        }
      }
    });
  }

  test('if a store says it back at the beginning of a document', async (t) => {
    const store = await startStore(t);
    store.list = `${secret} is what you sent`;
    const logs = catchLogs(t);
    await startEngine(t, { ...store.env, SHAZBOT_MASTER_LIST_AUTH: secret });
    const failed = () => logs.find(({ code }) => code === 'LIST_FAILED')?.message;
    const text = await until(failed, { what: 'reading the list fails' });
    assert.match(text, /It begins with "\*\*\*/);
  });

  test('if it is in the name of an entry that is skipped', async (t) => {
    const warnings = catchWarnings(t);
    const engine = await startEngine(t, { SHAZBOT_SECRET: secret });
    const baseUrl = `ftp://${'x'.repeat(180)}${secret}/`;
    await engine.shazbotGossipRequest(secret, message([{ baseUrl, monitor: false, lastUpdate: Date.now() }]));
    await until(() => warnings.length > 0, { what: 'a warning' });
    assert.ok(!warnings[0]?.message.includes(secret.slice(0, 8)), warnings[0]?.message);
  });
});

test('characters with which a peer could forge or hide lines of a log are escaped', async (t) => {
  const peer = await startFakePeer(t, {
    answer: () => ({ status: 421, body: { error: 'Wrong cluster: a\nb\u001b[2Jc\u009bd\u202ee\u200bf\u2028g' } }),
  });
  const warnings = catchWarnings(t);
  const engine = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '0.2' });
  await engine.shazbotGossipRequest(SECRET, message([peer.entry()]));
  await until(() => warnings.length > 0, { what: 'a warning' });
  const text = warnings[0]?.message ?? '';
  assert.match(text, /a\\nb\\u\{1b\}\[2Jc\\u\{9b\}d\\u\{202e\}e\\u\{200b\}f\\u\{2028\}g/);
});
