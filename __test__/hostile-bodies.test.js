'use strict';

// What the bodies of requests cost the process: how long its event loop stands still, and how much memory it takes.

const assert = require('node:assert/strict');
const net = require('node:net');
const { after, before, describe, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');

const { SECRET } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { entry, message } = require('../harness/gossip.js');
const { MB, MeasuredServer, assertRuns } = require('./support/measured-server.js');

const MAX_BODY = 8 * MB;
const MEMORY = { withSecret: 64 * MB, withoutSecret: 32 * MB };
/** The header of a signed message, which does not show whether its sender has the secret. */
const SIGNED = `Shazbot ${'0'.repeat(32)} ${'0'.repeat(64)} http://127.0.0.1/`;

/** @param {string} text @param {number} [size] */
const full = (text, size = MAX_BODY - 100) => text.repeat(size / text.length);
/** @param {string} inside */
const online = (inside) => `{"message":"gossip","online":[${inside}]}`;
/** @param {number} n */
const stranger = (n) =>
  `{"baseUrl":"http://10.${n >> 16}.${(n >> 8) & 255}.${n & 255}/","monitor":false,"lastUpdate":${Date.now()}}`;

/** @type {Record<string, { body: () => string, status: number }>} */
const bodies = {
  'zeros in an array': { body: () => `[${full('0,')}0]`, status: 400 },
  'zeros in place of servers': { body: () => online(`${full('0,')}0`), status: 413 },
  'empty objects in place of servers': { body: () => online(`${full('{},')}{}`), status: 413 },
  'arrays in arrays': { body: () => online(full('[', MAX_BODY / 2 - 50) + full(']', MAX_BODY / 2 - 50)), status: 200 },
  'arrays that are not closed': { body: () => full('['), status: 400 },
  'one long text': { body: () => online(`"${full('x')}"`), status: 200 },
  'a field of protocol 2 that is all escapes': {
    body: () => `{"message":"gossip","online":[],"shazbot":"2 ${full('\\u0065')}"}`,
    status: 200,
  },
  'words in the field of protocol 2': {
    body: () => `{"message":"gossip","online":[],"shazbot":"2${full(' e')}"}`,
    status: 413,
  },
  'as many bad entries as a message may have': {
    body: () => online(Array.from({ length: 50_000 }, (_, n) => `{"baseUrl":"bad:${n}"}`).join()),
    status: 200,
  },
  'as many invented servers as a message may have': {
    body: () => online(Array.from({ length: 50_000 }, (_, n) => stranger(n)).join()),
    status: 200,
  },
};

describe('a request, whatever its body', { concurrency: 1 }, () => {
  const server = new MeasuredServer();
  before(() => server.start());
  after(() => server.end());

  for (const [name, { body, status }] of Object.entries(bodies)) {
    test(`does not stop the event loop: ${name}`, async (t) => {
      const text = body();
      let answered = 0;
      const cost = await server.cost(t, async () => {
        answered = await server.post(text);
      });
      assert.equal(answered, status);
      assertRuns(cost);
      assert.ok(cost.grown <= MEMORY.withSecret, `${cost.grown} bytes`);
    });
  }

  test('does not stop the event loop: eight at once', async (t) => {
    const texts = Object.values(bodies).map(({ body }) => body());
    const cost = await server.cost(t, () =>
      Promise.all(texts.slice(0, 8).map((text) => server.post(text).catch(() => 0))),
    );
    assertRuns(cost);
    assert.ok(cost.grown <= MEMORY.withSecret, `${cost.grown} bytes`);
    await server.works();
  });

  test('does not stop the event loop in a route of the program, whose parser has read it', async (t) => {
    for (const name of [
      'zeros in place of servers',
      'as many invented servers as a message may have',
      'one long text',
    ]) {
      const text = bodies[name]?.body() ?? '';
      // The server begins to measure when the parser is done.
      await server.post(text, { route: 'own/gossip' });
      const { cpu, wall } = await server.order('report');
      t.diagnostic(`${name}: stands still for ${cpu.toFixed(1)} ms (${wall.toFixed(1)} by the clock)`);
      assertRuns({ cpu, wall, grown: 0 });
    }
  });

  test('is given up for others if it is slow, and told so', async (t) => {
    const socket = net.connect(server.port, '127.0.0.1').on('error', () => {});
    t.after(() => socket.destroy());
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    const head = `POST /clustershazbot/gossip HTTP/1.1\r\nHost: a\r\nAuthorization: ${SIGNED}\r\n`;
    socket.write(`${head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{`);
    await sleep(100);
    await server.unfinished(t, 400, { authorization: SIGNED, bytes: 1_000 });
    assert.match(answer, /^HTTP\/1\.1 429 /);
    assert.match(answer, /\r\nretry-after: 1\r\n/i);
    assert.match(answer, /"code":"SHAZBOT_LIMIT"/);
    await server.works();
  });
});

describe('a message that is an object of the program', () => {
  const revoked = () => {
    const { proxy, revoke } = Proxy.revocable(/** @type {any} */ ([]), {});
    revoke();
    return proxy;
  };
  const throwing = () => Object.defineProperty({}, 'baseUrl', { enumerable: true, get: () => assert.fail('a getter') });
  const claims = (/** @type {unknown} */ length) =>
    new Proxy([], { get: (_, name) => (name === 'length' ? length : undefined) });
  const many = (/** @type {number} */ count) => Array.from({ length: count }, (_, n) => JSON.parse(stranger(n)));
  const field = `2 ${'x'.repeat(200_000)}`;

  /** @type {Record<string, { message: () => any, code?: string }>} */
  const messages = {
    'an array of 2^32 - 1 holes': { message: () => message(new Array(2 ** 32 - 1)), code: 'SHAZBOT_TOO_LARGE' },
    'two lists that are too long together': {
      message: () => message(many(30_000), many(30_000)),
      code: 'SHAZBOT_TOO_LARGE',
    },
    'an array of 50 000 holes': { message: () => message(new Array(50_000)) },
    'a few holes': { message: () => message(new Array(5)) },
    'a list that claims a length of 2^60': {
      message: () => message(/** @type {any} */ (claims(2 ** 60))),
      code: 'SHAZBOT_TOO_LARGE',
    },
    'a list that claims no length': {
      message: () => message(/** @type {any} */ (claims('none'))),
      code: 'SHAZBOT_TOO_LARGE',
    },
    'a list that cannot be read': { message: () => message(revoked()), code: 'SHAZBOT_INVALID_MESSAGE' },
    'a property that cannot be read': { message: revoked, code: 'SHAZBOT_INVALID_MESSAGE' },
    'an entry that cannot be read': { message: () => message([throwing()]), code: 'SHAZBOT_INVALID_MESSAGE' },
    'an entry of many that cannot be read': {
      message: () => message([...many(3_000), throwing()]),
      code: 'SHAZBOT_INVALID_MESSAGE',
    },
    'objects without a prototype': {
      message: () =>
        Object.assign(Object.create(null), message([Object.assign(Object.create(null), entry('http://null/'))])),
    },
    'arrays in place of entries': { message: () => message([[[[]]]]) },
    'URLs and fields that are very long': {
      message: () =>
        message([{ ...entry(`http://a/${'x'.repeat(1e6)}`), shazbot: `1.1.f.http://a/${'x'.repeat(1e6)}` }]),
    },
    'a long field of protocol 2': { message: () => ({ ...message(), shazbot: field }) },
    'a long field of a later version': { message: () => ({ ...message(), shazbot: field.replace('2', '9') }) },
  };
  for (const [name, { message: create, code }] of Object.entries(messages)) {
    test(`is answered or rejected: ${name}`, async (t) => {
      const engine = await startEngine(t);
      const began = performance.now();
      const answer = engine.shazbotGossipRequest(SECRET, create());
      if (code) await assert.rejects(answer, { code });
      else assert.equal((await answer).message, 'gossip');
      await assert.rejects(engine.shazbotGossipRequest('wrong', create()), { code: 'SHAZBOT_UNAUTHORIZED' });
      assert.ok(performance.now() - began < 5_000);
    });
  }

  test('is merged whole if it goes to the other thread', async (t) => {
    const engine = await startEngine(t);
    const online = many(4_000);
    const answer = await engine.shazbotGossipRequest(SECRET, message(online.slice(0, 2_000), online.slice(2_000)));
    assert.ok(answer.online.some(({ baseUrl }) => baseUrl === engine.baseUrl));
    const list = engine.shazbotGetServerList(true);
    assert.deepEqual([list.online.length, list.offline?.length], [2_001, 2_000]);
  });
});

describe('uploads that are not finished', { concurrency: 1 }, () => {
  /** @type {[name: string, count: number, bytes: number, authorization: string, most: number][]} */
  const cases = [
    ['40 with the secret', 40, MAX_BODY - 1, SECRET, MEMORY.withSecret],
    ['400 with a wrong secret', 400, 250_000, 'wrong', MEMORY.withoutSecret],
    ['400 with a wrong signature', 400, 250_000, SIGNED, MEMORY.withoutSecret],
    ['1 000 with a wrong signature, nearly empty', 1_000, 100, SIGNED, MEMORY.withoutSecret],
  ];
  for (const [name, count, bytes, authorization, most] of cases) {
    test(`take no memory without end: ${name}`, async (t) => {
      // What a process has taken once it keeps: each case has a process of its own.
      const server = new MeasuredServer();
      t.after(() => server.end());
      await server.start();
      for (let n = 0; n < 200; n++) await server.works();
      const cost = await server.cost(t, () => server.unfinished(t, count, { authorization, bytes }));
      assert.ok(cost.grown <= most, `${cost.grown} bytes`);
      await server.works();
    });
  }
});
