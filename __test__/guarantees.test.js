'use strict';

// docs/guarantees.md promises what the simulator checks: each scenario has a row, with the limits of its targets.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { read } = require('./support/documents.js');

/** Measurements in seconds: times until all know, and these. */
const SECONDS = /Time\([\d.]+\), ([\d.]+)|Max\("(?:list_right|listed_offline|v1_killed)"\), ([\d.]+)/g;

/** @returns {Map<string, string>} the name of each scenario in reports, by its name in Rust */
function scenarios() {
  const lines = read('sim/src/scenario/catalogue.rs').matchAll(/^ {4}"([\w-]+)" (\w+) "/gm);
  return new Map([...lines].map(([, name, variant]) => [variant, name]));
}

/** @param {string} bounds Rust */
const secondsOf = (bounds) => [...bounds.matchAll(SECONDS)].map(([, time, other]) => Number(time ?? other));

/** @returns {Map<string, Set<number>>} the limits in seconds that the simulator checks, by scenario */
function limits() {
  const source = read('sim/src/check/targets.rs');
  const constants = new Map(
    [...source.matchAll(/^const (\w+): &\[Bound\] = &\[(.*?)\];/gms)].map(([, k, v]) => [k, v]),
  );
  const names = scenarios();
  /** @type {Map<string, Set<number>>} */
  const found = new Map();
  for (const [, variant = '', bounds = ''] of source.matchAll(/\(Scenario::(\w+), [\d_]+, [\d_]+, (.*)\),?$/gm)) {
    const name = String(names.get(variant));
    found.set(name, new Set([...(found.get(name) ?? []), ...secondsOf(constants.get(bounds) ?? bounds)]));
  }
  return found;
}

/** @returns {Map<string, string>} the rows of the page, by scenario */
function rows() {
  const found = read('docs/guarantees.md').matchAll(/^\| `([\w-]+)` \|(.*)\|$/gm);
  return new Map([...found].map(([, name, text]) => [name, text]));
}

/** @param {Iterable<number>} numbers */
const sorted = (numbers) => [...new Set(numbers)].sort((a, b) => a - b);

describe('docs/guarantees.md', () => {
  test('has a row for each scenario of the simulator, and no other', () => {
    assert.deepEqual([...rows().keys()].sort(), [...scenarios().values()].sort());
  });

  test('promises the times that the simulator checks', () => {
    const checked = limits();
    assert.ok([...checked.values()].filter(({ size }) => size > 0).length > 15, 'the limits are read from the source');
    for (const [name, text] of rows()) {
      const promised = [...text.matchAll(/≤ ([\d.]+) s\b/g)].map(([, seconds]) => Number(seconds));
      assert.deepEqual(sorted(promised), sorted(checked.get(name) ?? []), name);
    }
  });
});
