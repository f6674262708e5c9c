'use strict';

// docs/guarantees.md promises what the simulator checks, and docs/contributors/limits.md gives the limits of the source.

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

describe('docs/contributors/limits.md', () => {
  const limitRows = read('docs/contributors/limits.md').split('\n');

  test('has the rates that the constants in the source have', () => {
    const rates = limitRows.flatMap((line) => {
      const [, burst, rate, name, file] = /\| (\d+) at once, (\d+) a second \| `(\w+)` in `(\w+\.rs)`/.exec(line) ?? [];
      return file === undefined ? [] : [{ burst, rate, name, file }];
    });
    assert.ok(rates.length >= 6, `${rates.length} rates`);
    for (const { burst, rate, name, file } of rates) {
      assert.ok(read(`src/protocol/${file}`).includes(`const ${name}: (u32, u32) = (${burst}, ${rate});`), name);
    }
  });

  for (const [what, file, name] of [
    ['messages handled of a member', 'src/protocol/admission.rs', 'PER_MEMBER'],
    ['messages handled of a member', 'src/protocol/admission.rs', 'OF_MEMBERS'],
    ['messages handled of version 1', 'src/protocol/admission.rs', 'OF_VERSION_1'],
    ['entries of a message', 'src/message/mod.rs', 'MAX_ENTRIES'],
    ['servers known', 'src/membership/mod.rs', 'MAX_SERVERS'],
    ['extensions of an entry', 'src/message/extensions.rs', 'MAX_EXTENSION_BYTES'],
    ['extensions of an entry', 'src/message/tags.rs', 'MAX_KEYS'],
    ['extensions of an entry', 'src/message/tags.rs', 'MAX_BYTES'],
    ['places of a name', 'src/protocol/discovery/names.rs', 'MAX_PLACES'],
    ['base URL', 'src/server_url.rs', 'MAX_URL'],
    ['nonces of signed requests', 'src/auth/replay.rs', 'MAX_PEERS'],
    ['subjects of a warning', 'src/engine/active_warnings.rs', 'MAX_SUBJECTS'],
    ['warnings in the status', 'src/engine/active_warnings.rs', 'MAX_SHOWN'],
    ['warnings in the status', 'src/engine/active_warnings.rs', 'MAX_SHOWN_OF_CODE'],
  ]) {
    test(`gives the value of ${name} for ${what}`, () => {
      const value = new RegExp(`const ${name}: \\w+ = ([\\d_]+);`).exec(read(file))?.[1];
      const row = limitRows.find((line) => line.startsWith(`| ${what}`));
      const shown = (row?.split('|')[2]?.match(/\d+(?: \d{3})*/g) ?? []).map((number) => number.replace(' ', ''));
      assert.ok(shown.includes(String(value?.replace('_', ''))), `${value}: ${row}`);
    });
  }
});
