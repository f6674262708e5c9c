'use strict';

// The specification of docs/ownership.md in plain JavaScript, to compare the engine with.

const MASK = (1n << 64n) - 1n;

/** @param {bigint} word @param {bigint} bits */
const rotate = (word, bits) => ((word << bits) | (word >> (64n - bits))) & MASK;

/**
 * SipHash-1-3 with a key of zeros.
 * @param {string} text
 */
function sipHash13(text) {
  const bytes = Buffer.from(text, 'utf8');
  const padded = Buffer.alloc((Math.floor(bytes.length / 8) + 1) * 8);
  bytes.copy(padded);
  padded[padded.length - 1] = bytes.length & 0xff;
  let [a, b, c, d] = [0x736f6d6570736575n, 0x646f72616e646f6dn, 0x6c7967656e657261n, 0x7465646279746573n];
  const round = () => {
    a = (a + b) & MASK;
    b = rotate(b, 13n) ^ a;
    a = rotate(a, 32n);
    c = (c + d) & MASK;
    d = rotate(d, 16n) ^ c;
    a = (a + d) & MASK;
    d = rotate(d, 21n) ^ a;
    c = (c + b) & MASK;
    b = rotate(b, 17n) ^ c;
    c = rotate(c, 32n);
  };
  for (let i = 0; i < padded.length; i += 8) {
    const word = padded.readBigUInt64LE(i);
    d ^= word;
    round();
    a ^= word;
  }
  c ^= 0xffn;
  for (let i = 0; i < 3; i++) round();
  return a ^ b ^ c ^ d;
}

/** @param {bigint} hash */
function mix(hash) {
  hash = ((hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn) & MASK;
  hash = ((hash ^ (hash >> 33n)) * 0xc4ceb9fe1a85ec53n) & MASK;
  return hash ^ (hash >> 33n);
}

/**
 * The servers in the order in which they own a key.
 * @param {string} key
 * @param {readonly string[]} servers base URLs
 */
function ownersOf(key, servers) {
  const hash = sipHash13(key);
  const scored = servers.map((server) => ({ server, score: mix(hash ^ sipHash13(server)) }));
  return scored.sort((a, b) => (a.score < b.score ? 1 : -1)).map(({ server }) => server);
}

module.exports = { ownersOf, sipHash13 };
