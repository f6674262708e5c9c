'use strict';

// Random bodies of up to 8 MiB, as bytes and as objects that the program's body parser has made, are answered within bounds of
// time and memory, and have the same effect either way.
//   SHAZBOT_TEST_BODIES  how many bodies each test makes, default: 40. Before a release: 2000
//   SHAZBOT_TEST_SEED    the seed that a failed test has printed

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { SECRET, environment, fileList } = require('../harness/cluster.js');
const { catchWarnings, freshEngine, withEnvironment } = require('../harness/engine.js');
const { MB, MeasuredServer } = require('./support/measured-server.js');
const { Random, randomBody, randomMessage } = require('./support/random-bodies.js');

const { SHAZBOT_TEST_BODIES = '40', SHAZBOT_TEST_SEED } = process.env;
const COUNT = Number(SHAZBOT_TEST_BODIES);
const SEED = Number(SHAZBOT_TEST_SEED ?? Date.now() % 2 ** 31);
/** Processor time that the event loop may take at a time, ms: 20, and some for other processors. */
const STANDSTILL = 30;
const MEMORY = 64 * MB;
/** Bodies that one engine gets: a list that grows without end would take ever longer to compare. */
const PER_ENGINE = 50;
const STATUSES = [200, 400, 413];

describe(`random bodies, seed ${SEED}`, { concurrency: 1 }, () => {
  for (const [how, route] of /** @type {const} */ ([
    ['as bytes', 'clustershazbot/gossip'],
    ['as objects of a body parser', 'own/gossip'],
  ])) {
    test(`are answered ${how}, and do not stop the event loop`, async (t) => {
      const random = new Random(SEED);
      const server = new MeasuredServer();
      t.after(() => server.end());
      await server.start();
      await server.works();
      const most = { cpu: 0, grown: 0 };
      for (let n = 0; n < COUNT; n++) {
        const body = randomBody(random, Date.now());
        // The parser answers these itself.
        if (route === 'own/gossip' && !isObject(body)) continue;
        const what = `body ${n}, ${body.length} bytes: ${body.toString('latin1', 0, 60)}`;
        await server.order('reset');
        const status = await server.post(body, { route });
        // In the route of the program the server begins to measure when the parser is done.
        const { cpu, grown } = await server.order('report');
        assert.ok(STATUSES.includes(status), `status ${status}, ${what}`);
        assert.ok(cpu <= STANDSTILL, `${cpu} ms, ${what}`);
        assert.ok(grown <= MEMORY, `${grown} bytes, ${what}`);
        most.cpu = Math.max(most.cpu, cpu);
        most.grown = Math.max(most.grown, grown);
      }
      t.diagnostic(`${most.cpu.toFixed(1)} ms, ${(most.grown / MB).toFixed(1)} MB at most`);
      await server.works();
    });
  }

  test('have the same effect as bytes, as objects, and as large messages that go to another thread', async (t) => {
    catchWarnings(t);
    const random = new Random(SEED);
    for (let begun = 0; begun < COUNT; begun += PER_ENGINE) {
      const engines = [await start(t), await start(t), await start(t)];
      for (let n = begun; n < Math.min(begun + PER_ENGINE, COUNT); n++) {
        const json = JSON.stringify(randomMessage(random, { now: Date.now() }));
        await assertSameEffect(engines, json, `body ${n}: ${json.slice(0, 500)}`);
      }
      const [first] = engines;
      assert.ok(first && first.list().online.length > 0, 'some entries were valid');
      for (const { end } of engines) await end();
    }
  });
});

/** @typedef {Awaited<ReturnType<typeof start>>} Engine */

/** @param {Engine[]} engines @param {string} json @param {string} what */
async function assertSameEffect([asBytes, asObject, asLarge], json, what) {
  if (!asBytes || !asObject || !asLarge) throw new Error('three engines');
  const expected = await outcome(() => asBytes.answer(Buffer.from(json)));
  assert.equal(await outcome(() => asObject.gossip(JSON.parse(json))), expected, what);
  assert.equal(await outcome(() => asLarge.answer(Buffer.from(json + ' '.repeat(130 << 10)))), expected, what);
  const list = asBytes.list();
  assert.deepEqual(asObject.list(), list, what);
  assert.deepEqual(asLarge.list(), list, what);
}

/** Whether a body parser makes an object or array of it. @param {Buffer} body */
function isObject(body) {
  try {
    return typeof JSON.parse(String(body)) === 'object';
  } catch {
    return false;
  }
}

/**
 * An engine that does not gossip meanwhile.
 * @param {import('node:test').TestContext} t
 */
async function start(t) {
  const { shazbotStart, shazbotShutDown, shazbotGetServerList } = freshEngine();
  const { answerBody, gossip } = require('../lib/requests.js');
  const baseUrl = 'http://10.0.0.1/';
  const env = { ...environment(baseUrl), ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '3600' };
  await withEnvironment(env, () => shazbotStart());
  t.after(() => shazbotShutDown());
  const urls = (/** @type {{ baseUrl: string, monitor: boolean, lastUpdate: number }[]} */ list) =>
    list
      .filter((server) => server.baseUrl !== baseUrl)
      .map((server) => [server.baseUrl, server.monitor, server.lastUpdate])
      .sort();
  return {
    end: () => shazbotShutDown(),
    answer: async (/** @type {Buffer} */ bytes) => answerBody(SECRET, { bytes, free() {} }),
    gossip: async (/** @type {unknown} */ message) => gossip(SECRET, message),
    list() {
      const { online, offline = [] } = shazbotGetServerList(true);
      return { online: urls(online), offline: urls(offline) };
    },
  };
}

/** @param {() => Promise<unknown>} act @returns {Promise<string>} the code of the error, or `answered` */
const outcome = (act) =>
  act().then(
    () => 'answered',
    ({ code, message }) => `${code} ${message}`,
  );
