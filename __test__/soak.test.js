'use strict';

// The soak test runs, and its verdict finds what is wrong: lists, logs, memory that grows, and files that stay open.

const assert = require('node:assert/strict');
const { execFile, fork } = require('node:child_process');
const { once } = require('node:events');
const { readFileSync } = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { describe, test } = require('node:test');
const { promisify } = require('node:util');

const { folder } = require('../harness/folder.js');
const { missing } = require('../harness/namespaces.js');
const { freePorts } = require('../harness/ports.js');
const { until } = require('../harness/until.js');
const { Judge } = require('../scripts/soak/judge.js');
const { Samples, isGrowing, rise } = require('../scripts/soak/samples.js');
const { verdictOf } = require('../scripts/soak/verdict.js');

const ROOT = path.join(__dirname, '..');

/**
 * The growth of servers whose memory was measured each minute for an hour.
 *
 * @param {(minute: number, server: number) => number} memory in bytes
 * @param {number} [servers]
 */
async function growthOf(memory, servers = 4) {
  let minute = 0;
  const residents = Array.from(
    { length: servers },
    (_, n) => /** @type {any} */ ({ child: process, order: async () => ({ now: memory(minute, n) }) }),
  );
  const samples = new Samples(residents);
  for (; minute < 60; minute++) await samples.add(minute / 60);
  assert.ok(Math.abs(Number(samples.descriptorRise())) < 10);
  const growth = samples.growth();
  assert.ok(growth);
  return growth;
}

/** Noise of up to 1 MB, the same in each run. @param {number} minute @param {number} server */
const noise = (minute, server) => 1e6 * Math.abs(Math.sin(1e4 * (minute + 100 * server)));

/** A run of an hour that passes. */
const GOOD = {
  minutes: 60,
  faults: 700,
  wrong: 0,
  falseDeaths: 0,
  rise: 0,
  growth: { slope: 0, error: 1e5, worst: 3e5 },
};
const [A, B, C] = ['http://192.0.2.1:3000/', 'http://192.0.2.2:3000/', 'http://192.0.2.3:3000/'];

/** A judge of servers A, B and C, which all run. */
function startJudge() {
  const servers = [A, B, C].map((baseUrl) => ({ baseUrl, exit: /** @type {unknown} */ (undefined) }));
  const judge = new Judge();
  for (const server of servers) judge.add(server);
  const [, b] = /** @type {[{ baseUrl: string, exit: unknown }, { baseUrl: string, exit: unknown }]} */ (servers);
  return {
    judge,
    /** Server B. */
    b,
    offline: (reason = 'exchanges with it fail') =>
      judge.onLog(A, { code: 'MEMBER_OFFLINE', message: `${B} is offline: ${reason}, says ${C}` }),
    online: () => judge.onLog(A, { code: 'MEMBER_ONLINE', message: `${B} is online` }),
  };
}

describe('the soak test', () => {
  test('runs for a minute, prints it, and finds nothing wrong', { skip: missing, timeout: 180_000 }, async () => {
    const file = path.join(folder(), 'soak.json');
    const args = ['--minutes', '1', '--servers', '5', '--interval', '1', '--file', file];
    const { stdout } = await promisify(execFile)(process.execPath, [path.join(ROOT, 'scripts/soak/index.js'), ...args]);
    assert.match(stdout, /0 wrong lists, 0 false deaths/);
    const { faults, wrong, rows } = JSON.parse(readFileSync(file, 'utf8'));
    assert.ok(faults > 0);
    assert.deepEqual(wrong, []);
    assert.equal(rows.length, 1);
    assert.ok(rows[0].memory > 5 * 20e6 && rows[0].descriptors > 10 && rows[0].answered > 100, JSON.stringify(rows));
  });

  test('memory that grows by 5 MB an hour is found in the noise of 1 MB', async () => {
    const growth = await growthOf((minute, server) => 60e6 + (5e6 * minute) / 60 + noise(minute, server));
    assert.ok(Math.abs(growth.slope - 5e6) < 1e6, JSON.stringify(growth));
    assert.ok(isGrowing(growth));
  });

  test('neither noise nor the warm-up of the first half counts as growth', async () => {
    const growth = await growthOf((minute, server) => 60e6 + 1e6 * Math.min(minute, 19) + noise(minute, server));
    assert.ok(!isGrowing(growth), JSON.stringify(growth));
  });

  test('one server of 15 that grows by 20 MB an hour is found', async () => {
    const growth = await growthOf(
      (minute, server) => 60e6 + (server === 7 ? (20e6 * minute) / 60 : 0) + noise(minute, server),
      15,
    );
    assert.ok(growth.slope < 3 * growth.error, JSON.stringify(growth));
    assert.ok(growth.worst > 15e6 && isGrowing(growth), JSON.stringify(growth));
  });

  test('descriptors rise if their median does, not if they are many for a while', () => {
    const counts = (/** @type {(n: number) => number} */ count) => Array.from({ length: 90 }, (_, n) => count(n));
    assert.equal(rise(counts((n) => 40 + n)), 30);
    assert.equal(rise(counts((n) => (n % 5 === 0 ? 200 : 40))), 0);
    assert.ok(Number.isNaN(rise([40, 41])));
  });

  test('a run fails if anything was wrong or false, or if a server grows', () => {
    assert.ok(verdictOf(GOOD).isWell);
    const growth = { ...GOOD.growth, worst: 6e6 };
    for (const bad of [{ wrong: 1 }, { falseDeaths: 1 }, { growth }, { rise: 11 }])
      assert.ok(!verdictOf({ ...GOOD, ...bad }).isWell, JSON.stringify(bad));
    assert.ok(verdictOf({ ...GOOD, growth, rise: 11, minutes: 29 }).isWell);
    assert.match(verdictOf({ ...GOOD, growth }).lines.join('\n'), /0 ± 100 kB an hour, the most of one 6000: it grows/);
  });

  test('a false death is one that no fault explains', () => {
    const { judge, offline } = startJudge();
    offline();
    assert.equal(judge.falseDeaths.length, 1);
    judge.excuse(B, '');
    offline();
    assert.equal(judge.falseDeaths.length, 1);
    judge.settle();
    offline();
    assert.equal(judge.falseDeaths.length, 2);
    // A server that nobody reaches does not reach others.
    judge.excuse(A, '');
    offline();
    assert.equal(judge.falseDeaths.length, 2);
  });

  test('a drained server may be listed offline for that reason only', () => {
    const { judge, offline } = startJudge();
    judge.excuse(B, ': it was drained');
    offline('it was drained');
    assert.deepEqual([judge.falseDeaths, judge.unreachable], [[], []]);
    offline();
    assert.equal(judge.falseDeaths.length, 1);
    judge.excuse(B, '');
    judge.excuse(B, ': it was drained');
    offline();
    assert.equal(judge.falseDeaths.length, 1);
    assert.deepEqual(judge.unreachable, [B]);
  });

  test('a server that is listed online again after its end is wrong', () => {
    const { judge, b, offline, online } = startJudge();
    online();
    b.exit = { code: 0 };
    // The list of another server that has not noticed yet.
    online();
    offline();
    assert.deepEqual([judge.wrong, judge.falseDeaths, judge.ended], [[], [], [B]]);
    online();
    assert.equal(judge.wrong.length, 1);
    judge.settle();
    online();
    assert.equal(judge.wrong.length, 2);
    // It starts again.
    b.exit = undefined;
    online();
    assert.deepEqual([judge.wrong.length, judge.ended], [2, []]);
  });

  test('the load counts status 200 as answered, and failures apart if a fault explains them', async (t) => {
    const server = http.createServer(({ url }, response) => {
      response.statusCode = url === '/ordinary' ? 200 : 500;
      response.end('{}');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const load = fork(path.join(ROOT, 'scripts/soak/load.js'));
    t.after(() => {
      load.kill('SIGKILL');
      server.close();
    });
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    const [closed] = await freePorts(1);
    const counts = async () => {
      load.send('counts');
      return (await once(load, 'message'))[0];
    };
    load.send({ urls: [`http://127.0.0.1:${port}/`], unreachable: [] });
    await until(async () => (await counts()).answered > 1, { what: 'requests are answered' });
    assert.deepEqual({ ...(await counts()), answered: 0 }, { answered: 0, failed: 0, unexpected: 0 });
    const refused = `http://127.0.0.1:${closed}/`;
    load.send({ urls: [refused], unreachable: [refused] });
    await until(async () => (await counts()).failed > 1, { what: 'requests fail' });
    assert.equal((await counts()).unexpected, 0);
    load.send({ urls: [`http://127.0.0.1:${port}/broken/`], unreachable: [] });
    await until(async () => (await counts()).unexpected > 1, { what: 'requests fail unexpectedly' });
  });
});
