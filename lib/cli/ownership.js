'use strict';

// Computes from the status of a server which servers own a key, without the engine: for the command line and the page. The hash is
// the one of docs/ownership.md. The page contains this file too (lib/page.js), so it uses nothing but the language and TextEncoder.

/** @typedef {Pick<import('../../index.js').MemberStatus, 'baseUrl' | 'state'> & { ready?: boolean }} Candidate */

const MAX_U64 = (1n << 64n) - 1n;
/** For how many gossip intervals after a change others may still have another list. The same as in lib/owner.js. */
const SETTLING_INTERVALS = 2;

/** @param {bigint} word @param {bigint} bits */
const rotateLeft = (word, bits) => ((word << bits) | (word >> (64n - bits))) & MAX_U64;

/**
 * SipHash-1-3 with a key of zeros.
 * @param {string} text
 */
function sipHash13(text) {
  const bytes = new TextEncoder().encode(text);
  const padded = new Uint8Array((Math.floor(bytes.length / 8) + 1) * 8);
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length & 0xff;
  const words = new DataView(padded.buffer);
  let [a, b, c, d] = [0x736f6d6570736575n, 0x646f72616e646f6dn, 0x6c7967656e657261n, 0x7465646279746573n];
  const round = () => {
    a = (a + b) & MAX_U64;
    b = rotateLeft(b, 13n) ^ a;
    a = rotateLeft(a, 32n);
    c = (c + d) & MAX_U64;
    d = rotateLeft(d, 16n) ^ c;
    a = (a + d) & MAX_U64;
    d = rotateLeft(d, 21n) ^ a;
    c = (c + b) & MAX_U64;
    b = rotateLeft(b, 17n) ^ c;
    c = rotateLeft(c, 32n);
  };
  for (let i = 0; i < padded.length; i += 8) {
    const word = words.getBigUint64(i, true);
    d ^= word;
    round();
    a ^= word;
  }
  c ^= 0xffn;
  for (let i = 0; i < 3; i++) round();
  return a ^ b ^ c ^ d;
}

/** @param {bigint} hash */
function mixBits(hash) {
  let mixed = ((hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn) & MAX_U64;
  mixed = ((mixed ^ (mixed >> 33n)) * 0xc4ceb9fe1a85ec53n) & MAX_U64;
  return mixed ^ (mixed >> 33n);
}

/**
 * The servers in the order in which they own a key.
 * @param {string} key
 * @param {readonly string[]} servers base URLs
 */
function ownersOf(key, servers) {
  const hash = sipHash13(key);
  const scored = servers.map((server) => ({ server, score: mixBits(hash ^ sipHash13(server)) }));
  return scored.sort((a, b) => (a.score < b.score ? 1 : -1)).map(({ server }) => server);
}

/**
 * Whether a member may own keys and be picked.
 * @param {Candidate} member of an older version it is not known whether it is ready
 */
const mayOwn = ({ state, ready = true }) => state !== 'offline' && ready;

/**
 * Whether the other servers see the same owners: nothing has changed for two gossip intervals, and no server is suspected.
 * @param {Pick<import('../../index.js').ShazbotStatus, 'startedAt' | 'interval' | 'recent' | 'members'>} status
 * @param {number} now by the clock of the server
 */
function isSettled({ startedAt, interval, recent, members }, now) {
  const changes = recent.filter(({ type }) => type !== 'suspect');
  const changedAt = Math.max(startedAt, ...changes.map(({ at }) => at));
  return now - changedAt > SETTLING_INTERVALS * interval * 1000 && members.every(({ state }) => state !== 'suspect');
}

module.exports = { isSettled, mayOwn, ownersOf, sipHash13 };
