'use strict';

// The benchmark measures all rows and writes its report, and its baseline behaves like version 1.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { readFileSync, readdirSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { promisify } = require('node:util');

const { Baseline } = require('../scripts/bench/cost/baseline.js');
const { times } = require('../scripts/bench/peers/document.js');
const { CONTROL_SECRET, SECRET } = require('../harness/cluster.js');
const { withEnvironment } = require('../harness/engine.js');
const { entry, message } = require('../harness/gossip.js');
const { folder } = require('../harness/folder.js');
const { missing } = require('../harness/namespaces.js');
const { assertIsXml } = require('./support/xml.js');

const ROOT = path.join(__dirname, '..');
const PLOTS = ['exchange', 'list', 'memory'].map((name) => `${name}.svg`);
/** Files that other commands write, and that the report shows. */
const OTHER_FILES = ['core.txt', 'load.json', 'traffic.json'];
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
  'shazbotGetServerList, with tags',
  'shazbotServers',
  'shazbotServers, with tags',
  'shazbotGetServerList, offline too',
  'shazbotOwner',
  'shazbotPick',
  'outbound exchange',
  "require('clustershazbot')",
];

/**
 * A file with saved measurements: one row of body sizes and nothing else.
 *
 * @param {{ n: number, ours: number, v1: number, stamps: number }} body
 */
function savedWith(body) {
  const file = path.join(folder(), 'measured.json');
  const measured = { rows: [], outbound: [], bodies: [body], memory: [], parts: [], binary: 1 };
  writeFileSync(file, JSON.stringify(measured));
  return file;
}

/** @param {string[]} args */
const bench = (...args) =>
  promisify(execFile)(process.execPath, [path.join(ROOT, 'scripts/bench/index.js'), ...args], { cwd: ROOT });

describe('the benchmark', () => {
  test('measures every row, and --report writes the report from the measurements', { timeout: 180_000 }, async () => {
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
      // A cost of zero may be measured as less than zero.
      const least = what === 'outbound exchange' ? -1e6 : 0;
      assert.ok(ours.eventLoop > least && ours.eventLoop < 1e6, `${what}: ${ours.eventLoop} µs`);
    }
    const [between, withV1] = measured.rows;
    assert.ok(between.ours.bytes < 2_000, 'protocol 2 servers do not send each other their lists');
    assert.ok(withV1.ours.bytes > 2 * 100 * 80, 'a version 1 peer gets the whole list');
    assert.deepEqual(measured.outbound, [{ n: 100, calls: 0 }], 'gossip does not use the event loop');
    for (const { n, ...programs } of measured.memory) {
      assert.equal(n, 100);
      for (const bytes of /** @type {number[]} */ (Object.values(programs)))
        assert.ok(bytes > 20e6 && bytes < 500e6, `${bytes} bytes`);
    }
    assert.ok(measured.parts[0].parts['exchange, native'].eventLoop > 0);

    const out = folder();
    const file = path.join(out, 'measured.json');
    writeFileSync(file, stdout);
    await bench('--load', file, '--report', '--out', out);
    assert.deepEqual(readdirSync(path.join(out, 'performance')).sort(), PLOTS);
    for (const name of PLOTS) assertIsXml(readFileSync(path.join(out, 'performance', name), 'utf8'));
    const document = readFileSync(path.join(out, 'performance.md'), 'utf8');
    assert.doesNotMatch(document, /undefined|NaN|Infinity|\[object/);
    for (const name of PLOTS) assert.ok(document.includes(`](performance/${name})`), name);
  });

  test('--check fails on a missed target, but not on one that was not measured', async () => {
    const met = savedWith({ n: 10_000, ours: 500, v1: 500, stamps: 64 });
    assert.doesNotMatch((await bench('--load', met, '--check')).stdout, /MISSED/);
    const missed = savedWith({ n: 10_000, ours: 90_001, v1: 500, stamps: 64 });
    await assert.rejects(bench('--load', missed, '--check'), { code: 1, stdout: /MISSED.*largest body sent/ });
  });

  test('a target for all sizes is not reported if only a small size was measured', async () => {
    const small = savedWith({ n: 10, ours: 500, v1: 500, stamps: 10 });
    assert.doesNotMatch((await bench('--load', small)).stdout, /largest body/);
  });

  test('docs/contributors/performance.md shows exactly the plots that are in docs/contributors/performance', () => {
    const document = readFileSync(path.join(ROOT, 'docs/contributors/performance.md'), 'utf8');
    const shown = Array.from(document.matchAll(/\]\(performance\/([^)]+)\)/g), ([, name]) => String(name));
    assert.deepEqual(shown.sort(), PLOTS);
    const others = readdirSync(path.join(ROOT, 'docs/contributors/performance')).filter(
      (name) => !OTHER_FILES.includes(name),
    );
    assert.deepEqual(others.sort(), PLOTS);
  });

  test('an option with an invalid value is reported', async () => {
    await assert.rejects(bench('--sizes', 'many'), { code: 2, stderr: /--sizes takes numbers/ });
    await assert.rejects(bench('--only', 'this'), { code: 2, stderr: /--only takes one of/ });
  });
});

describe('the benchmark beside other programs', () => {
  /** @param {...string} args */
  const measure = async (...args) => {
    const file = path.join(folder(), 'measured.json');
    const few = ['--servers', '3', '--repeat', '1', '--seconds', '1', '--file', file];
    const { stdout } = await bench('peers', ...few, ...args);
    return { stdout, results: JSON.parse(readFileSync(file, 'utf8')).results };
  };

  test('measures every fault and what an idle server costs', { skip: missing, timeout: 180_000 }, async () => {
    const { stdout, results } = await measure('--only', 'ours-0.5');
    assert.match(stdout, /clustershazbot, 0.5 s/);
    const [{ times: of, idle, failure }] = results;
    assert.equal(failure, undefined);
    for (const fault of ['killed', 'exits', 'left', 'hung', 'gone']) {
      assert.equal(of[fault].length, 1, fault);
      assert.ok(of[fault][0] > 0 && of[fault][0] < 60_000, `${fault}: ${of[fault]} ms`);
    }
    assert.ok(idle.bytes > 100 && idle.packets > 1 && idle.cpu > 0 && idle.memory > 20e6, JSON.stringify(idle));
  });

  test('a program that is not installed, or did not notice a fault, is shown as such', () => {
    const machine = { cpu: 'a CPU', cores: 2, memory: 2 ** 34, node: 'v20', system: 'Linux' };
    const options = { servers: 12, repeat: 9, seconds: 60 };
    const results = [
      { name: 'serf', who: 'Serf', settings: '', times: {} },
      {
        name: 'foca',
        who: 'foca',
        settings: '',
        version: '2.0.0',
        times: { killed: [500, 7_000, 600], hung: [null, null] },
      },
    ];
    const [, serf, foca] = times({ machine, options, bare: 1, results });
    assert.deepEqual(serf?.slice(0, 2), ['Serf', 'not installed']);
    assert.deepEqual(foca?.slice(0, 5), ['foca', '0.6 / 7', '–', '–', '> 120']);
  });

  test('docs/peers.md and its plots show docs/peers/measured.json', async () => {
    const out = folder();
    await bench('peers', '--report', '--out', out);
    const written = readdirSync(path.join(out, 'peers'));
    const kept = readdirSync(path.join(ROOT, 'docs/peers')).filter((name) => name !== 'measured.json');
    assert.deepEqual(written.sort(), kept.sort());
    for (const name of ['peers.md', ...written.map((plot) => `peers/${plot}`)])
      assert.equal(
        readFileSync(path.join(ROOT, 'docs', name), 'utf8'),
        readFileSync(path.join(out, name), 'utf8'),
        name,
      );
    for (const name of written) assertIsXml(readFileSync(path.join(out, 'peers', name), 'utf8'));
    assert.doesNotMatch(readFileSync(path.join(out, 'peers.md'), 'utf8'), /undefined|NaN|Infinity|\[object/);
  });
});

describe('the baseline of the benchmark behaves like version 1', () => {
  const [own, a, b] = ['http://own/', 'http://a/', 'http://b/'];

  /** @param {unknown[]} messages */
  async function after(...messages) {
    const server = new Baseline({ baseUrl: own, secret: SECRET, controlSecret: CONTROL_SECRET });
    /** @type {any} */
    let answer;
    for (const one of messages) answer = await server.gossipRequest(SECRET, structuredClone(/** @type {any} */ (one)));
    return { server, answer };
  }

  test('it answers with all that it knows, and updates its own entry to now', async () => {
    const { answer } = await after(message([entry(a, 10)], [entry(b, 10)]));
    assert.deepEqual(Object.keys(answer), ['message', 'online', 'offline']);
    assert.deepEqual(byUrl(answer.online), [a, own]);
    assert.deepEqual(byUrl(answer.offline), [b]);
    const self = answer.online.find((/** @type {{ baseUrl: string }} */ { baseUrl }) => baseUrl === own);
    assert.ok(Date.now() - self.lastUpdate < 1_000);
  });

  test('the newest lastUpdate wins, and unknown fields are passed on', async () => {
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

  test('an offline entry replaces an older online one, and an online entry replaces any offline one', async () => {
    assert.deepEqual(byUrl((await after(message([entry(a, 10)]), message([], [entry(a, 5)]))).answer.offline), [a]);
    assert.deepEqual(byUrl((await after(message([entry(a, 10)]), message([], [entry(a, 20)]))).answer.offline), []);
    assert.deepEqual(byUrl((await after(message([], [entry(a, 5)]), message([entry(a, 10)]))).answer.online), [a, own]);
  });

  test('an offline entry is forgotten after 24 hours', async () => {
    const { answer } = await after(message([], [entry(a, 86_400_001), entry(b, 86_000_000)]));
    assert.deepEqual(byUrl(answer.offline), [b]);
  });

  test('lists have offline servers only for the control secret, and gossip needs the gossip secret', async () => {
    const { server } = await after(message([entry(a)], [entry(b)]));
    assert.deepEqual(Object.keys(await server.listRequest('')), ['online']);
    assert.deepEqual(Object.keys(await server.listRequest(CONTROL_SECRET)), ['online', 'offline']);
    assert.deepEqual(Object.keys(server.serverList()), ['online']);
    assert.deepEqual(byUrl(server.serverList(true).offline), [b]);
    await assert.rejects(server.gossipRequest('wrong', message()), /^Error: Unauthorized: Invalid SHAZBOT_SECRET$/);
  });

  test('it answers random messages exactly as the version 1 peer of the other tests does', async (t) => {
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
    // The version 1 peer's timers would keep this process alive.
    t.after(shazbotShutDown);
    await withEnvironment(environment, () => shazbotStart());
    const { server } = await after();
    const now = Date.now();
    const urls = [own, ...[1, 2, 3, 4].map((name) => `http://127.0.0.1:9/${name}/`)];
    const some = () =>
      Array.from({ length: random(4) }, () => ({
        baseUrl: urls[random(urls.length)],
        monitor: random(2) === 0,
        // From one hour in the future to more than a day ago.
        lastUpdate: now + 3_600_000 - random(6) * 21_600_000,
        extra: random(1_000),
      }));
    for (let count = 0; count < 2_000; count++) {
      const body = message(some(), some());
      const [theirs, ours] = [
        await shazbotGossipRequest(SECRET, structuredClone(body)),
        await server.gossipRequest(SECRET, structuredClone(body)),
      ];
      assert.deepEqual(comparable(ours), comparable(theirs), `seed ${seed}, message ${count}`);
    }
  });
});

/** @param {{ baseUrl: string }[]} [entries] */
const byUrl = (entries = []) => entries.map(({ baseUrl }) => baseUrl).sort();

/** @param {import('..').ServerList} sorted, and without the time of the own entry */
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
