'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { CONTROL_SECRET, SECRET, fileList, startServer } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { catchWarnings, startEngine } = require('../harness/engine.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { entry, gossip, message } = require('../harness/gossip.js');
const { request } = require('../harness/http.js');
const { until } = require('../harness/until.js');

const HOUR = 60 * 60 * 1000;
/** Nobody listens there; and no name has to be looked up. */
const GOOD = 'http://127.0.0.1:9/';

/** @type {Record<string, any>} Bodies that are no gossip message. */
const noMessages = {
  undefined: undefined,
  null: null,
  'a string': 'gossip',
  'a JSON text': '{"message":"gossip","online":[]}',
  'a number': 7,
  true: true,
  'an array': [],
  'an array of messages': [{ message: 'gossip', online: [] }],
  'an empty object': {},
  'no online': { message: 'gossip' },
  'online null': { message: 'gossip', online: null },
  'online an object': { message: 'gossip', online: { length: 0 } },
  'online a string': { message: 'gossip', online: 'http://a.test/' },
  'no message': { online: [] },
  'another message': { message: 'control', online: [] },
  'a message that is no string': { message: ['gossip'], online: [] },
  'offline no array': { message: 'gossip', online: [], offline: 'none' },
};

for (const [name, body] of Object.entries(noMessages)) {
  test(`a gossip body that is no message is refused: ${name}`, async (t) => {
    const engine = await startEngine(t);
    await assert.rejects(engine.shazbotGossipRequest(SECRET, body), (/** @type {any} */ error) => {
      assert.equal(error.code, 'SHAZBOT_INVALID_MESSAGE');
      assert.equal(error.status, 400);
      assert.ok(error.message.length > 10, 'it says what is wrong');
      return true;
    });
  });
}

test('a refused gossip body changes nothing, not even by the entries in it that are good', async (t) => {
  const engine = await startEngine(t);
  const before = engine.shazbotGetServerList(true);
  for (const body of [
    { message: 'other', online: [entry(GOOD)], offline: [] },
    { message: 'gossip', online: [entry(GOOD)], offline: {} },
    { message: 'gossip', offline: [entry(GOOD)] },
    [message([entry(GOOD)])],
  ]) {
    await assert.rejects(engine.shazbotGossipRequest(SECRET, /** @type {any} */ (body)));
  }
  assert.deepEqual(engine.shazbotGetServerList(true), before);
});

test('over HTTP a bad body is an error answer that says what is wrong, and the server goes on', async (t) => {
  const server = await startServer(t, { env: fileList().env });
  const before = await server.view();
  for (const body of [
    '[]',
    '{}',
    '{"message":"gossip"}',
    '{"message":"gossip","online":{}}',
    '{"message":"x","online":[]}',
  ]) {
    // The README's route answers 401 to every error; where Express does it, the error's own status counts.
    const readme = await gossip(server.baseUrl, body);
    assert.equal(readme.status, 401, body);
    assert.ok(readme.json.error.length > 10, body);
    assert.doesNotMatch(readme.json.error, /^Unauthorized/, body);
    const plain = await gossip(`${server.baseUrl}plain/`, body);
    assert.equal(plain.status, 400, body);
    assert.equal(plain.json.error, readme.json.error);
  }
  const url = `${server.baseUrl}plain/clustershazbot/gossip`;
  const none = await request(url, { method: 'POST', headers: { authorization: SECRET } });
  assert.equal(none.status, 400, 'no body at all');
  assert.deepEqual(await server.view(), before);
  assert.equal((await gossip(server.baseUrl, message())).status, 200);
});

/** @type {Record<string, (url: string) => unknown>} Entries that are not acceptable, by what is wrong. */
const badEntries = {
  null: () => null,
  'a number': () => 7,
  'a string': (url) => url,
  'an array': (url) => [url, false, Date.now()],
  'no URL': () => ({ monitor: false, lastUpdate: Date.now() }),
  'a URL that is no string': (url) => ({ ...entry(url), baseUrl: [url] }),
  'an empty URL': (url) => ({ ...entry(url), baseUrl: '' }),
  'a relative URL': (url) => ({ ...entry(url), baseUrl: '/servers/' }),
  'no scheme': (url) => ({ ...entry(url), baseUrl: url.replace('http://', '') }),
  'ftp:': (url) => ({ ...entry(url), baseUrl: url.replace('http:', 'ftp:') }),
  'file:': (url) => ({ ...entry(url), baseUrl: 'file:///etc/passwd' }),
  'javascript:': (url) => ({ ...entry(url), baseUrl: 'javascript:alert(1)' }),
  'user info': (url) => entry(url.replace('http://', 'http://user:hunter2@')),
  'a user without password': (url) => entry(url.replace('http://', 'http://somebody@')),
  'a line feed': (url) => entry(`${url}a\nb/`),
  'a tab': (url) => entry(`${url}a\tb/`),
  'a control character at the end': (url) => entry(`${url}\u0000`),
  'an escape character': (url) => entry(`${url}\u001b[2J/`),
  'over 512 characters': (url) => entry(`${url}${'a'.repeat(512)}/`),
  'a monitor that is a string': (url) => ({ ...entry(url), monitor: 'true' }),
  'a monitor that is a number': (url) => ({ ...entry(url), monitor: 1 }),
  'no stamp': (url) => ({ baseUrl: url, monitor: false }),
  'a stamp that is a string': (url) => ({ ...entry(url), lastUpdate: String(Date.now()) }),
  'a stamp that is null': (url) => ({ ...entry(url), lastUpdate: null }),
  'a stamp that is NaN': (url) => ({ ...entry(url), lastUpdate: Number.NaN }),
  'a stamp that is infinite': (url) => ({ ...entry(url), lastUpdate: Number.POSITIVE_INFINITY }),
  'a negative stamp': (url) => ({ ...entry(url), lastUpdate: -1 }),
  'a stamp beyond 2^53': (url) => ({ ...entry(url), lastUpdate: 2 ** 53 + 2 }),
  'a stamp over 3 h ahead': (url) => entry(url, -3 * HOUR - 60_000),
};

for (const [name, bad] of Object.entries(badEntries)) {
  test(`a bad entry is skipped with one warning, and the rest is merged: ${name}`, async (t) => {
    const warnings = catchWarnings(t);
    const target = await startFakePeer(t);
    const engine = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '0.1' });
    const wrong = bad(target.baseUrl);
    for (let i = 0; i < 3; i++) {
      await engine.shazbotGossipRequest(SECRET, message([wrong, entry(GOOD)]));
    }
    const { online, offline } = engine.shazbotGetServerList(true);
    assert.deepEqual(online.map(({ baseUrl }) => baseUrl).sort(), [engine.baseUrl, GOOD].sort());
    assert.deepEqual(offline, []);
    await until(() => warnings.length > 0, { what: 'a warning' });
    await during(350, () => assert.equal(target.connections, 0, 'it was contacted'));

    assert.equal(warnings.length, 1, warnings.map((warning) => warning.message).join('\n'));
    const [warning] = /** @type {[Error & { code?: string }]} */ (/** @type {unknown} */ (warnings));
    assert.match(warning.code ?? '', /^SHAZBOT_/);
    const named = /** @type {any} */ (wrong)?.baseUrl;
    const readable = typeof named === 'string' && named.length < 100 && /^[ -~]+$/.test(named);
    // User info may be a secret: such an entry is named without it.
    if (readable && !name.includes('user')) assert.ok(warning.message.includes(named), warning.message);
    assert.ok(!warning.message.includes('hunter2'), warning.message);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not reach a terminal
    assert.doesNotMatch(warning.message, /[\u0000-\u001f]/);
  });
}

test('bad entries among the offline ones are skipped as well', async (t) => {
  catchWarnings(t);
  const target = await startFakePeer(t);
  const engine = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '0.1' });
  const wrong = Object.values(badEntries).map((bad) => bad(target.baseUrl));
  await engine.shazbotGossipRequest(SECRET, message([], [...wrong, entry(GOOD), ...wrong]));
  const { offline = [] } = engine.shazbotGetServerList(true);
  assert.deepEqual(
    offline.map(({ baseUrl }) => baseUrl),
    [GOOD],
  );
  await during(500, () => assert.equal(target.connections, 0));
});

test('a URL of 512 characters and a stamp 2 h ahead are good', async (t) => {
  const warnings = catchWarnings(t);
  const engine = await startEngine(t);
  const long = `${GOOD}${'a'.repeat(512 - GOOD.length - 1)}/`;
  assert.equal(long.length, 512);
  await engine.shazbotGossipRequest(SECRET, message([entry(long), entry(GOOD, -2 * HOUR)]));
  assert.deepEqual(engine.shazbotGetServerList().online.length, 3);
  await during(200, () => assert.deepEqual(warnings, []));
});

test('a bad entry in the answer of a peer is skipped as well, and the peer counts as reached', async (t) => {
  const target = await startFakePeer(t);
  const peer = await startFakePeer(t);
  peer.answer = () => ({ body: message([peer.entry(), entry(GOOD), { ...target.entry(), monitor: 'no' }, null]) });
  const server = await startServer(t, { env: fileList().env });
  await gossip(server.baseUrl, message([peer.entry()]));
  await until(async () => (await server.view()).online.includes(GOOD), { what: 'the rest of the answer is merged' });
  await during(1_500, async () => {
    const { online, offline } = await server.view();
    assert.deepEqual([...online, ...offline].sort(), [server.baseUrl, peer.baseUrl, GOOD].sort());
    assert.equal(target.connections, 0);
  });
});

/** @type {Record<string, any>} */
const wrongHeaders = {
  undefined: undefined,
  null: null,
  empty: '',
  'an array': [SECRET],
  'an array with the control secret': [CONTROL_SECRET],
  'a number': 7,
  'an object': { toString: () => SECRET },
  'a String object': Object(SECRET),
  'a prefix': SECRET.slice(0, -1),
  'the secret and more': `${SECRET} `,
  'a scheme before it': `Bearer ${SECRET}`,
};

for (const [name, header] of Object.entries(wrongHeaders)) {
  test(`an authorization header that is ${name} is the same as wrong`, async (t) => {
    const engine = await startEngine(t);
    await assert.rejects(engine.shazbotGossipRequest(header, message([entry(GOOD)])), {
      code: 'SHAZBOT_UNAUTHORIZED',
      message: 'Unauthorized: Invalid SHAZBOT_SECRET',
    });
    await assert.rejects(engine.shazbotControlRequest(header, { message: 'control', online: false }), {
      code: 'SHAZBOT_UNAUTHORIZED',
      message: 'Unauthorized: Invalid SHAZBOT_CONTROL_SECRET',
    });
    assert.deepEqual(Object.keys(await engine.shazbotListRequest(header)), ['online']);
    assert.deepEqual(
      engine.shazbotGetServerList().online.map(({ baseUrl }) => baseUrl),
      [engine.baseUrl],
    );
  });
}

/** @type {Record<string, any>} */
const noControls = {
  undefined: undefined,
  null: null,
  'a string': 'control',
  'an array': [],
  'an empty object': {},
  'another message': { message: 'gossip', online: false },
  'no message': { online: false },
  'no online': { message: 'control' },
  'online a string': { message: 'control', online: 'false' },
  'online null': { message: 'control', online: null },
  'online 0': { message: 'control', online: 0 },
};

for (const [name, body] of Object.entries(noControls)) {
  test(`a control body that is no message is refused and drains nothing: ${name}`, async (t) => {
    const engine = await startEngine(t);
    await assert.rejects(engine.shazbotControlRequest(CONTROL_SECRET, body), {
      code: 'SHAZBOT_INVALID_MESSAGE',
      status: 400,
    });
    assert.equal(engine.shazbotGetServerList().online.length, 1);
  });
}
