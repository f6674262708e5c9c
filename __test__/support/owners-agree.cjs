'use strict';

// Compares a binary with the test vectors of docs/ownership.md, in any runtime and on any platform: install.test.js runs it with the
// folder of an installed package, and `npm run release -- try` without one for the binary of this checkout.

const assert = require('node:assert/strict');
const path = require('node:path');

const folder = process.argv[2] ?? path.join(__dirname, '..', '..');
const { ownersOf, sipHash13 } = require(path.join(folder, 'lib', 'cli', 'ownership.js'));
const { Engine } = require(path.join(folder, 'lib', 'binary.js'));
/** @type {typeof import('../../docs/ownership-vectors.json')} */
const { owners } = require(path.join(folder, 'docs', 'ownership-vectors.json'));

for (const { key, servers, order } of owners) {
  assert.deepEqual(ownersOf(key, servers), order);
  const hashes = BigUint64Array.from(servers, sipHash13);
  /** @type {number[]} */
  const places = Engine.owners(key, hashes, servers.length);
  assert.deepEqual(
    Array.from(places, (place) => servers[place]),
    order,
  );
}
console.log(`the owners agree on ${process.platform} ${process.arch}`);
