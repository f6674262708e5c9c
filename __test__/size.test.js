'use strict';

// How many bytes an exchange has, so that it does not grow with the number of known servers.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { startPair } = require('../harness/pair.js');

/** The default limit of Express's body parser. */
const LIMIT = 100 * 1024;

test('the size of an exchange does not depend on the number of offline servers that are known', async (t) => {
  // Servers that left are not contacted; dead servers are, one in each round.
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
    assert.ok(size > least / 1.2 && size < least * 1.2, `${kinds[n]}: ${size} bytes, without offline servers ${least}`);
  }

  // No message was larger than the limit before that either, while the servers received and exchanged the entries.
  const exchanges = (await Promise.all(pairs.map((pair) => pair.exchanges()))).flat(2);
  for (const { status, request } of exchanges) {
    assert.equal(status, 200);
    assert.ok(request < LIMIT, `${request} bytes`);
  }
});
