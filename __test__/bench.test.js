'use strict';

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { readFileSync, readdirSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { promisify } = require('node:util');

const { Baseline } = require('../scripts/bench/cost/baseline.js');
const { CONTROL_SECRET, SECRET } = require('../harness/cluster.js');
const { withEnvironment } = require('../harness/engine.js');
const { entry, message } = require('../harness/gossip.js');
const { folder } = require('../harness/folder.js');
const { assertIsXml } = require('./support/xml.js');

const ROOT = path.join(__dirname, '..');
const PLOTS = ['exchange', 'list', 'memory'].map((name) => `${name}.svg`);
/** What other commands print; the report shows it. */
const KEPT = ['core.txt', 'load.json', 'traffic.json'];
const ROWS = [
  'inbound exchange between ours',
  'inbound exchange with a version 1 peer',
  'inbound exchange with a version 1 peer, half of the servers ours',
  'shazbotListRequest',
  'shazbotListRequest, after news',
  'shazbotListRequest, after a change',
  'shazbotListRequest, offline too',
  'shazbotListRequest, offline too, after news',
  'shazbotGetServerList',
  'shazbotGetServerList, offline too',
  'outbound exchange',
  "require('clustershazbot')",
];

/** @param {string[]} args */
const bench = (...args) =>
  promisify(execFile)(process.execPath, [path.join(ROOT, 'scripts/bench/index.js'), ...args], { cwd: ROOT });

describe('the benchmark', () => {
  test('measures everything, and the report is written from it', { timeout: 180_000 }, async () => {
    const { stdout } = await bench('--quick', '--sizes', '100', '--json');
    const measured = JSON.parse(stdout);
    assert.deepEqual(
      measured.rows.map((/** @type {{ what: string }} */ { what }) => what),
      ROWS,
    );
    for (const { what, ours, baseline } of measured.rows) {
      for (const value of [baseline.eventLoop, ours.cpu, baseline.cpu]) {
        assert.ok(value > 0 && value < 1e6, `${what}: ${value} µs`);
      }
      // What is nothing may be measured as less.
      const least = what === 'outbound exchange' ? -1e6 : 0;
      assert.ok(ours.eventLoop > least && ours.eventLoop < 1e6, `${what}: ${ours.eventLoop} µs`);
    }
    const [between, withV1] = measured.rows;
    assert.ok(between.ours.bytes < 2_000, 'servers of ours do not send each other their lists');
    assert.ok(withV1.ours.bytes > 2 * 100 * 80, 'a version 1 peer gets the whole list');
    assert.deepEqual(measured.outbound, [{ n: 100, calls: 0 }], 'gossip asks nothing of the event loop');
    for (const { n, ...programs } of measured.memory) {
      assert.equal(n, 100);
      for (const bytes of /** @type {number[]} */ (Object.values(programs)))
        assert.ok(bytes > 20e6 && bytes < 500e6, `${bytes} bytes`);
    }
    assert.ok(measured.parts[0].parts['exchange, native'].eventLoop > 0);

    const out = folder();
    const kept = path.join(out, 'measured.json');
    writeFileSync(kept, stdout);
    await bench('--load', kept, '--report', '--out', out);
    assert.deepEqual(readdirSync(path.join(out, 'performance')).sort(), PLOTS);
    for (const name of PLOTS) assertIsXml(readFileSync(path.join(out, 'performance', name), 'utf8'));
    const document = readFileSync(path.join(out, 'performance.md'), 'utf8');
    assert.doesNotMatch(document, /undefined|NaN|Infinity|\[object/);
    for (const name of PLOTS) assert.ok(document.includes(`](performance/${name})`), name);
  });

  test('a target that is missed fails --check, one that was not measured does not', async () => {
    const kept = path.join(folder(), 'measured.json');
    const measured = {
      rows: [],
      outbound: [],
      bodies: [{ n: 10_000, ours: 500, v1: 500, stamps: 64 }],
      memory: [],
      parts: [],
      binary: 1,
    };
    writeFileSync(kept, JSON.stringify(measured));
    assert.doesNotMatch((await bench('--load', kept, '--check')).stdout, /MISSED/);
    writeFileSync(kept, JSON.stringify({ ...measured, bodies: [{ n: 10_000, ours: 90_001, v1: 500, stamps: 64 }] }));
    await assert.rejects(bench('--load', kept, '--check'), { code: 1, stdout: /MISSED.*largest body sent/ });
  });

  test('a target for all sizes is not met by a small one alone', async () => {
    const kept = path.join(folder(), 'measured.json');
    const none = { rows: [], outbound: [], memory: [], parts: [], binary: 1 };
    writeFileSync(kept, JSON.stringify({ ...none, bodies: [{ n: 10, ours: 500, v1: 500, stamps: 10 }] }));
    assert.doesNotMatch((await bench('--load', kept)).stdout, /largest body/);
  });

  test('the document names only plots that are there', () => {
    const document = readFileSync(path.join(ROOT, 'docs/performance.md'), 'utf8');
    const named = Array.from(document.matchAll(/\]\(performance\/([^)]+)\)/g), ([, name]) => String(name));
    assert.deepEqual(named.sort(), PLOTS);
    const others = readdirSync(path.join(ROOT, 'docs/performance')).filter((name) => !KEPT.includes(name));
    assert.deepEqual(others.sort(), PLOTS);
  });

  test('an option that is not understood is said', async () => {
    await assert.rejects(bench('--sizes', 'many'), { code: 2, stderr: /--sizes takes numbers/ });
    await assert.rejects(bench('--only', 'this'), { code: 2, stderr: /--only takes one of/ });
  });
});

describe('what the benchmark compares with is version 1', () => {
  const [own, a, b] = ['http://own/', 'http://a/', 'http://b/'];

  /** @param {unknown[]} messages */
  async function after(...messages) {
    const server = new Baseline({ baseUrl: own, secret: SECRET, controlSecret: CONTROL_SECRET });
    /** @type {any} */
    let answer;
    for (const one of messages) answer = await server.gossipRequest(SECRET, structuredClone(/** @type {any} */ (one)));
    return { server, answer };
  }

  test('it answers with its whole state, and with its own entry stamped now', async () => {
    const { answer } = await after(message([entry(a, 10)], [entry(b, 10)]));
    assert.deepEqual(Object.keys(answer), ['message', 'online', 'offline']);
    assert.deepEqual(byUrl(answer.online), [a, own]);
    assert.deepEqual(byUrl(answer.offline), [b]);
    const self = answer.online.find((/** @type {{ baseUrl: string }} */ { baseUrl }) => baseUrl === own);
    assert.ok(Date.now() - self.lastUpdate < 1_000);
  });

  test('the newest stamp wins, and fields that it does not know are passed on', async () => {
    const newest = { ...entry(a, 10), extra: { deep: 1 } };
    for (const order of [
      [newest, entry(a, 20)],
      [entry(a, 20), newest],
    ]) {
      const { answer } = await after(...order.map((one) => message([one])));
      assert.deepEqual(
        answer.online.find((/** @type {{ baseUrl: string }} */ { baseUrl }) => baseUrl === a),
        newest,
      );
    }
  });

  test('an offline entry counts if it is newer than the online one; an online one always (1)', async () => {
    assert.deepEqual(byUrl((await after(message([entry(a, 10)]), message([], [entry(a, 5)]))).answer.offline), [a]);
    assert.deepEqual(byUrl((await after(message([entry(a, 10)]), message([], [entry(a, 20)]))).answer.offline), []);
    assert.deepEqual(byUrl((await after(message([], [entry(a, 5)]), message([entry(a, 10)]))).answer.online), [a, own]);
  });

  test('an offline entry is forgotten after 24 hours', async () => {
    const { answer } = await after(message([], [entry(a, 86_400_001), entry(b, 86_000_000)]));
    assert.deepEqual(byUrl(answer.offline), [b]);
  });

  test('lists hold the online servers, and the offline ones for the control secret; secrets are asked for', async () => {
    const { server } = await after(message([entry(a)], [entry(b)]));
    assert.deepEqual(Object.keys(await server.listRequest('')), ['online']);
    assert.deepEqual(Object.keys(await server.listRequest(CONTROL_SECRET)), ['online', 'offline']);
    assert.deepEqual(Object.keys(server.serverList()), ['online']);
    assert.deepEqual(byUrl(server.serverList(true).offline), [b]);
    await assert.rejects(server.gossipRequest('wrong', message()), /^Error: Unauthorized: Invalid SHAZBOT_SECRET$/);
  });

  test('it lists what the peer of the other tests lists, whatever it is told', async (t) => {
    const seed = Date.now();
    const random = generator(seed);
    const { shazbotGossipRequest, shazbotShutDown, shazbotStart } = require('../harness/v1-peer.js');
    const environment = {
      SHAZBOT_SECRET: SECRET,
      SHAZBOT_CONTROL_SECRET: CONTROL_SECRET,
      SHAZBOT_BASE_URL: own,
      SHAZBOT_MASTER_LIST: 'data:application/json,{"online":[]}',
      SHAZBOT_MASTER_LIST_UPDATE: 'data:,',
      SHAZBOT_MASTER_LIST_UPDATE_AUTH: 'x',
      SHAZBOT_GOSSIP_INTERVAL: '3600',
    };
    // Its timers would keep this process alive.
    t.after(shazbotShutDown);
    await withEnvironment(environment, () => shazbotStart());
    const { server } = await after();
    const now = Date.now();
    const urls = [own, ...[1, 2, 3, 4].map((name) => `http://127.0.0.1:9/${name}/`)];
    const some = () =>
      Array.from({ length: random(4) }, () => ({
        baseUrl: urls[random(urls.length)],
        monitor: random(2) === 0,
        // From an hour ahead to more than a day ago.
        lastUpdate: now + 3_600_000 - random(6) * 21_600_000,
        extra: random(1_000),
      }));
    for (let count = 0; count < 2_000; count++) {
      const told = message(some(), some());
      const [theirs, ours] = [
        await shazbotGossipRequest(SECRET, structuredClone(told)),
        await server.gossipRequest(SECRET, structuredClone(told)),
      ];
      assert.deepEqual(comparable(ours), comparable(theirs), `seed ${seed}, message ${count}`);
    }
  });
});

/** @param {{ baseUrl: string }[]} [entries] */
const byUrl = (entries = []) => entries.map(({ baseUrl }) => baseUrl).sort();

/** @param {import('..').ServerList} lists whose order does not matter, nor when they were made */
function comparable({ online, offline = [] }) {
  const sorted = (/** @type {import('..').GossipServer[]} */ list) =>
    list
      .map((one) => (one.baseUrl === 'http://own/' ? { ...one, lastUpdate: 0 } : one))
      .sort((a, b) => a.baseUrl.localeCompare(b.baseUrl));
  return { online: sorted(online), offline: sorted(offline) };
}

/** @param {number} seed */
function generator(seed) {
  let state = (seed % 2_147_483_646) + 1;
  return (/** @type {number} */ below) => {
    state = (state * 16_807) % 2_147_483_647;
    return state % below;
  };
}
