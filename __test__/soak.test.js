'use strict';

// The soak test runs, and its verdict finds memory that grows.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { promisify } = require('node:util');

const { folder } = require('../harness/folder.js');
const { missing } = require('../harness/namespaces.js');
const { Samples, isGrowing } = require('../scripts/soak/samples.js');

const ROOT = path.join(__dirname, '..');

/**
 * The growth of servers whose memory was measured each minute for an hour.
 *
 * @param {(minute: number, server: number) => number} memory in bytes
 */
async function growthOf(memory) {
  let minute = 0;
  const residents = [0, 1, 2, 3].map((n) => /** @type {any} */ ({ order: async () => ({ now: memory(minute, n) }) }));
  const samples = new Samples(residents);
  for (; minute < 60; minute++) await samples.add(minute / 60);
  const growth = samples.growth();
  assert.ok(growth);
  return growth;
}

/** Noise of up to 1 MB, the same in each run. @param {number} minute @param {number} server */
const noise = (minute, server) => 1e6 * Math.abs(Math.sin(1e4 * (minute + 100 * server)));

describe('the soak test', () => {
  test('runs for a minute, prints it, and finds nothing wrong', { skip: missing, timeout: 180_000 }, async () => {
    const file = path.join(folder(), 'soak.json');
    const args = ['--minutes', '1', '--servers', '5', '--interval', '1', '--file', file];
    const { stdout } = await promisify(execFile)(process.execPath, [path.join(ROOT, 'scripts/soak/index.js'), ...args]);
    assert.match(stdout, /0 wrong lists/);
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

  test('neither noise nor the warm-up of the first third counts as growth', async () => {
    const growth = await growthOf((minute, server) => 60e6 + 1e6 * Math.min(minute, 19) + noise(minute, server));
    assert.ok(!isGrowing(growth), JSON.stringify(growth));
  });
});
