'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { startPair } = require('../harness/pair.js');

/** Express's limit on bodies, unless a program sets another. */
const LIMIT = 100 * 1024;

test('an exchange of two Express servers has the same size, however many offline servers they know', async (t) => {
  // Those that left are only remembered; the dead are tried, one a round.
  const kinds = /** @type {const} */ ([
    [0, 'left'],
    [100, 'left'],
    [1_000, 'left'],
    [10_000, 'left'],
    [10_000, 'dead'],
  ]);
  const pairs = await Promise.all(kinds.map(([count, why]) => startPair(t, count, why)));
  const sizes = await Promise.all(pairs.map((pair) => pair.rest()));
  t.diagnostic(`bytes: ${sizes}`);
  const [least = 0] = sizes;
  for (const [n, size] of sizes.entries()) {
    assert.ok(size > least / 1.2 && size < least * 1.2, `${kinds[n]}: ${size} bytes, with none ${least}`);
  }

  // On the way there, too: what they were told, and what they then told each other.
  const exchanges = (await Promise.all(pairs.map((pair) => pair.exchanges()))).flat(2);
  for (const { status, request } of exchanges) {
    assert.equal(status, 200);
    assert.ok(request < LIMIT, `${request} bytes`);
  }
});
