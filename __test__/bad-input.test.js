'use strict';

// Invalid messages, entries and headers are rejected or skipped, reported, and change nothing.

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
/** An acceptable base URL. Nothing listens on its port, and it needs no name lookup. */
const GOOD = 'http://127.0.0.1:9/';

/** @type {Record<string, any>} Bodies that are not gossip messages. */
const invalidGossip = {
  undefined: undefined,
  null: null,
  'a string': 'gossip',
  'a JSON text': '{"message":"gossip","online":[]}',
  'a number': 7,
  true: true,
  'an array': [],
  'an array of messages': [{ message: 'gossip', online: [] }],
  'an empty object': {},
  'a missing online list': { message: 'gossip' },
  'an online list that is null': { message: 'gossip', online: null },
  'an online list that is an object': { message: 'gossip', online: { length: 0 } },
  'an online list that is a string': { message: 'gossip', online: 'http://a.test/' },
  'a missing message type': { online: [] },
  'another message type': { message: 'control', online: [] },
  'a message type that is not a string': { message: ['gossip'], online: [] },
  'an offline list that is not an array': { message: 'gossip', online: [], offline: 'none' },
};

for (const [name, body] of Object.entries(invalidGossip)) {
  test(`an invalid gossip body is rejected with SHAZBOT_INVALID_MESSAGE: ${name}`, async (t) => {
    const engine = await startEngine(t);
    await assert.rejects(engine.shazbotGossipRequest(SECRET, body), (/** @type {any} */ error) => {
      assert.equal(error.code, 'SHAZBOT_INVALID_MESSAGE');
      assert.equal(error.status, 400);
      assert.ok(error.message.length > 10, 'the error says what is wrong');
      return true;
    });
  });
}

test('a rejected gossip body changes nothing, even if it contains valid entries', async (t) => {
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

test('over HTTP an invalid body gets an error response that says what is wrong, and the server keeps working', async (t) => {
  const server = await startServer(t, { env: fileList().env });
  const before = await server.view();
  for (const body of [
    '[]',
    '{}',
    '{"message":"gossip"}',
    '{"message":"gossip","online":{}}',
    '{"message":"x","online":[]}',
  ]) {
    // The README's route answers every error with 401. The plain route lets Express use the error's own status.
    const readme = await gossip(server.baseUrl, body);
    assert.equal(readme.status, 401, body);
    assert.ok(readme.json.error.length > 10, body);
    assert.doesNotMatch(readme.json.error, /^Unauthorized/, body);
    const plain = await gossip(`${server.baseUrl}plain/`, body);
    assert.equal(plain.status, 400, body);
    assert.equal(plain.json.error, readme.json.error);
  }
  const url = `${server.baseUrl}plain/clustershazbot/gossip`;
  const withoutBody = await request(url, { method: 'POST', headers: { authorization: SECRET } });
  assert.equal(withoutBody.status, 400, 'a missing body');
  assert.deepEqual(await server.view(), before);
  assert.equal((await gossip(server.baseUrl, message())).status, 200);
});

/** @type {Record<string, (url: string) => unknown>} Invalid entries, by what is wrong with them. */
const badEntries = {
  null: () => null,
  'a number': () => 7,
  'a string': (url) => url,
  'an array': (url) => [url, false, Date.now()],
  'a missing URL': () => ({ monitor: false, lastUpdate: Date.now() }),
  'a URL that is not a string': (url) => ({ ...entry(url), baseUrl: [url] }),
  'an empty URL': (url) => ({ ...entry(url), baseUrl: '' }),
  'a relative URL': (url) => ({ ...entry(url), baseUrl: '/servers/' }),
  'a URL without a scheme': (url) => ({ ...entry(url), baseUrl: url.replace('http://', '') }),
  'an ftp: URL': (url) => ({ ...entry(url), baseUrl: url.replace('http:', 'ftp:') }),
  'a file: URL': (url) => ({ ...entry(url), baseUrl: 'file:///etc/passwd' }),
  'a javascript: URL': (url) => ({ ...entry(url), baseUrl: 'javascript:alert(1)' }),
  'a user name and password in the URL': (url) => entry(url.replace('http://', 'http://user:hunter2@')),
  'a user name in the URL': (url) => entry(url.replace('http://', 'http://somebody@')),
  'a line feed in the URL': (url) => entry(`${url}a\nb/`),
  'a tab in the URL': (url) => entry(`${url}a\tb/`),
  'a control character at the end of the URL': (url) => entry(`${url}\u0000`),
  'an escape character in the URL': (url) => entry(`${url}\u001b[2J/`),
  'a URL of more than 512 characters': (url) => entry(`${url}${'a'.repeat(512)}/`),
  'a monitor flag that is a string': (url) => ({ ...entry(url), monitor: 'true' }),
  'a monitor flag that is a number': (url) => ({ ...entry(url), monitor: 1 }),
  'a missing lastUpdate': (url) => ({ baseUrl: url, monitor: false }),
  'a lastUpdate that is a string': (url) => ({ ...entry(url), lastUpdate: String(Date.now()) }),
  'a lastUpdate that is null': (url) => ({ ...entry(url), lastUpdate: null }),
  'a lastUpdate that is NaN': (url) => ({ ...entry(url), lastUpdate: Number.NaN }),
  'a lastUpdate that is infinite': (url) => ({ ...entry(url), lastUpdate: Number.POSITIVE_INFINITY }),
  'a negative lastUpdate': (url) => ({ ...entry(url), lastUpdate: -1 }),
  'a lastUpdate beyond 2^53': (url) => ({ ...entry(url), lastUpdate: 2 ** 53 + 2 }),
  'a lastUpdate more than 3 h in the future': (url) => entry(url, -3 * HOUR - 60_000),
};

for (const [name, bad] of Object.entries(badEntries)) {
  test(`an invalid entry is skipped with a single warning, and the rest is merged: ${name}`, async (t) => {
    const warnings = catchWarnings(t);
    const target = await startFakePeer(t);
    const engine = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '0.1' });
    const invalid = bad(target.baseUrl);
    for (let i = 0; i < 3; i++) {
      await engine.shazbotGossipRequest(SECRET, message([invalid, entry(GOOD)]));
    }
    const { online, offline } = engine.shazbotGetServerList(true);
    assert.deepEqual(online.map(({ baseUrl }) => baseUrl).sort(), [engine.baseUrl, GOOD].sort());
    assert.deepEqual(offline, []);
    await until(() => warnings.length > 0, { what: 'a warning' });
    await during(350, () => assert.equal(target.connections, 0, 'the server in the invalid entry was contacted'));

    assert.equal(warnings.length, 1, warnings.map((warning) => warning.message).join('\n'));
    const [warning] = /** @type {[Error & { code?: string }]} */ (/** @type {unknown} */ (warnings));
    assert.match(warning.code ?? '', /^SHAZBOT_/);
    const named = /** @type {any} */ (invalid)?.baseUrl;
    const readable = typeof named === 'string' && named.length < 100 && /^[ -~]+$/.test(named);
    // The user name and password may be secret: the warning leaves them out.
    if (readable && !name.includes('user name')) assert.ok(warning.message.includes(named), warning.message);
    assert.ok(!warning.message.includes('hunter2'), warning.message);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters must not reach a terminal
    assert.doesNotMatch(warning.message, /[\u0000-\u001f]/);
  });
}

test('invalid entries in the offline list are skipped too', async (t) => {
  catchWarnings(t);
  const target = await startFakePeer(t);
  const engine = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '0.1' });
  const invalid = Object.values(badEntries).map((bad) => bad(target.baseUrl));
  await engine.shazbotGossipRequest(SECRET, message([], [...invalid, entry(GOOD), ...invalid]));
  const { offline = [] } = engine.shazbotGetServerList(true);
  assert.deepEqual(
    offline.map(({ baseUrl }) => baseUrl),
    [GOOD],
  );
  await during(500, () => assert.equal(target.connections, 0));
});

test('a URL of 512 characters and a lastUpdate 2 h in the future are accepted', async (t) => {
  const warnings = catchWarnings(t);
  const engine = await startEngine(t);
  const long = `${GOOD}${'a'.repeat(512 - GOOD.length - 1)}/`;
  assert.equal(long.length, 512);
  await engine.shazbotGossipRequest(SECRET, message([entry(long), entry(GOOD, -2 * HOUR)]));
  assert.deepEqual(engine.shazbotGetServerList().online.length, 3);
  await during(200, () => assert.deepEqual(warnings, []));
});

test("an invalid entry in a peer's answer is skipped, and the peer still counts as reached", async (t) => {
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
  'a prefix of the secret': SECRET.slice(0, -1),
  'the secret followed by a space': `${SECRET} `,
  'the secret after a scheme': `Bearer ${SECRET}`,
};

for (const [name, header] of Object.entries(wrongHeaders)) {
  test(`an authorization header is rejected like a wrong secret if it is ${name}`, async (t) => {
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
const invalidControls = {
  undefined: undefined,
  null: null,
  'a string': 'control',
  'an array': [],
  'an empty object': {},
  'another message type': { message: 'gossip', online: false },
  'a missing message type': { online: false },
  'a missing online flag': { message: 'control' },
  'an online flag that is a string': { message: 'control', online: 'false' },
  'an online flag that is null': { message: 'control', online: null },
  'an online flag that is 0': { message: 'control', online: 0 },
};

for (const [name, body] of Object.entries(invalidControls)) {
  test(`an invalid control body is rejected and does not drain the server: ${name}`, async (t) => {
    const engine = await startEngine(t);
    await assert.rejects(engine.shazbotControlRequest(CONTROL_SECRET, body), {
      code: 'SHAZBOT_INVALID_MESSAGE',
      status: 400,
    });
    assert.equal(engine.shazbotGetServerList().online.length, 1);
  });
}
