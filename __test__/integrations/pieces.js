'use strict';

// Reads four bodies of 250 000 bytes at the same time, each of which arrives byte by byte; for __test__/router.test.js, which
// limits the memory of this program.

const { Readable } = require('node:stream');
const { readBody } = require('../../lib/body.js');

const SIZE = 250_000;
let left = 4;

function* bytes() {
  for (let at = 0; at < SIZE; at++) yield Buffer.from('1');
  left -= 1;
}

async function* body() {
  yield* bytes();
  // Stays open until all bodies have arrived, so that all are held in memory at once.
  while (left > 0) await new Promise(setImmediate);
}

const headers = { 'content-type': 'application/json' };
const bodies = Array.from({ length: left }, () => Object.assign(Readable.from(body()), { headers, complete: true }));
Promise.all(bodies.map((it) => readBody(it, undefined, SIZE))).then((all) => {
  if (all.length !== 4) process.exitCode = 1;
});
