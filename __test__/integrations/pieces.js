'use strict';

// Reads four bodies of 250 000 bytes at the same time, each in pieces of one byte: __test__/router.test.js runs it with
// little memory.

const { Readable } = require('node:stream');
const { readBody } = require('../../lib/body.js');

const SIZE = 250_000;
let unfinished = 4;

function* bytes() {
  for (let at = 0; at < SIZE; at++) yield Buffer.from('1');
  unfinished -= 1;
}

async function* body() {
  yield* bytes();
  // Ends no body before all have arrived, so that all four are held in memory at once.
  while (unfinished > 0) await new Promise(setImmediate);
}

const headers = { 'content-type': 'application/json' };
const bodies = Array.from({ length: unfinished }, () =>
  Object.assign(Readable.from(body()), { headers, complete: true }),
);
Promise.all(bodies.map((it) => readBody(it, undefined, { limit: SIZE, hasSecret: true }))).then((all) => {
  if (all.length !== 4) process.exitCode = 1;
});
