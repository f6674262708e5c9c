'use strict';

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
function plotsNamedIn(document) {
  const names = readFileSync(document, 'utf8').matchAll(/\]\((convergence\/[^)]+)\)/g);
  return Array.from(names, ([, name]) => path.join(path.dirname(document), String(name)));
}

describe('the report of how long it takes until all know', () => {
  test('is made by one command, the document and its plots', { timeout: 300_000 }, async () => {
    const out = folder();
    await report('--quick', '--out', out);
    assert.deepEqual(readdirSync(path.join(out, 'convergence')).sort(), PLOTS);
    const document = readFileSync(path.join(out, 'convergence.md'), 'utf8');
    assert.doesNotMatch(document, /undefined|NaN|Infinity|\[object/);
    assert.deepEqual(
      plotsNamedIn(path.join(out, 'convergence.md'))
        .map((file) => path.basename(file))
        .sort(),
      PLOTS,
    );
    for (const name of PLOTS) {
      const svg = readFileSync(path.join(out, 'convergence', name), 'utf8');
      assertIsXml(svg);
      assert.match(svg, />servers<|>exchanges lost, %</, `${name} says what its axis is`);
      assert.ok(svg.length < 60_000, `${name} has ${svg.length} characters`);
    }
  });

  test('names only plots that are there', () => {
    const plots = plotsNamedIn(path.join(ROOT, 'docs/convergence.md'));
    assert.equal(plots.length, PLOTS.length);
    for (const file of plots) assert.ok(existsSync(file), file);
  });

  test('a figure that never came is shown, not left out', async () => {
    const out = folder();
    const save = path.join(out, 'figures.json');
    await report('--quick', '--up-to', '10', '--out', out, '--save', save);
    const document = readFileSync(path.join(out, 'convergence.md'), 'utf8');
    const healed = document.match(/^\| half cut off for an hour .*$/m)?.[0];
    assert.match(String(healed), /> 6 h/, 'version 1 never heals');
    const again = folder();
    await report('--load', save, '--out', again);
    assert.equal(readFileSync(path.join(again, 'convergence.md'), 'utf8'), document, 'the same from what was kept');
  });

  test('an option that is not understood is said', async () => {
    await assert.rejects(report('--up-to', 'many'), { code: 2, stderr: /--up-to takes a number/ });
  });

  test('a file that is not there is said without a stack', async () => {
    const none = path.join(folder(), 'none.json');
    await assert.rejects(report('--load', none), { code: 2, stderr: /^ENOENT: .*none\.json'\n$/ });
  });
});
