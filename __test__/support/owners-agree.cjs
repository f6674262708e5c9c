'use strict';

// Compares the binary of an installed package with the test vectors of docs/ownership.md, in any runtime: install.test.js runs it
// with the folder of the package.

const assert = require('node:assert/strict');
const path = require('node:path');

const folder = String(process.argv[2]);
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
console.log('the owners agree');
