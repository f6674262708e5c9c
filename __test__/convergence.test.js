'use strict';

// The report on convergence times is written by one command, with all its plots.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { existsSync, readFileSync, readdirSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { promisify } = require('node:util');

const { folder } = require('../harness/folder.js');
const { assertIsXml } = require('./support/xml.js');

const ROOT = path.join(__dirname, '..');
const PLOTS = ['hung', 'idle', 'killed', 'loss', 'partition', 'said'].map((name) => `${name}.svg`);

/** @param {string[]} args */
const report = (...args) =>
  promisify(execFile)(process.execPath, [path.join(ROOT, 'scripts/report/index.js'), ...args], { cwd: ROOT });

/** @param {string} document a file */
function plotsIn(document) {
  const names = readFileSync(document, 'utf8').matchAll(/\]\((convergence\/[^)]+)\)/g);
  return Array.from(names, ([, name]) => path.join(path.dirname(document), String(name)));
}

describe('the convergence report', () => {
  test('consists of the document and its plots, which one command writes', { timeout: 300_000 }, async () => {
    const out = folder();
    await report('--quick', '--out', out);
    assert.deepEqual(readdirSync(path.join(out, 'convergence')).sort(), PLOTS);
    const document = readFileSync(path.join(out, 'convergence.md'), 'utf8');
    assert.doesNotMatch(document, /undefined|NaN|Infinity|\[object/);
    assert.deepEqual(
      plotsIn(path.join(out, 'convergence.md'))
        .map((file) => path.basename(file))
        .sort(),
      PLOTS,
    );
    for (const name of PLOTS) {
      const svg = readFileSync(path.join(out, 'convergence', name), 'utf8');
      assertIsXml(svg);
      assert.match(svg, />servers<|>exchanges lost, %</, `${name} labels its axis`);
      assert.ok(svg.length < 60_000, `${name} has ${svg.length} characters`);
    }
  });

  test('shows exactly the plots that exist', () => {
    const plots = plotsIn(path.join(ROOT, 'docs/contributors/convergence.md'));
    assert.equal(plots.length, PLOTS.length);
    for (const file of plots) assert.ok(existsSync(file), file);
  });

  test('shows a time that was never reached as longer than the limit, also from saved measurements', async () => {
    const out = folder();
    const save = path.join(out, 'figures.json');
    await report('--quick', '--up-to', '10', '--out', out, '--save', save);
    const document = readFileSync(path.join(out, 'convergence.md'), 'utf8');
    const healed = document.match(/^\| half cut off for an hour .*$/m)?.[0];
    assert.match(String(healed), /> 6 h/, 'version 1 never heals the partition');
    const again = folder();
    await report('--load', save, '--out', again);
    assert.equal(
      readFileSync(path.join(again, 'convergence.md'), 'utf8'),
      document,
      'the report from the saved measurements is the same',
    );
  });

  test('reports an option with an invalid value', async () => {
    await assert.rejects(report('--up-to', 'many'), { code: 2, stderr: /--up-to takes a number/ });
  });

  test('reports a missing file without a stack trace', async () => {
    const missing = path.join(folder(), 'none.json');
    await assert.rejects(report('--load', missing), { code: 2, stderr: /^ENOENT: .*none\.json'\n$/ });
  });
});
