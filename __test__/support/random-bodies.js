'use strict';

// Makes random bodies of gossip requests from a seed: valid, nearly valid, and large by repetition.

const MAX_BODY = 8 << 20;

/** Mulberry32: a small generator of random numbers with a seed. */
class Random {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** From 0 to 1. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number below this one. @param {number} limit */
  below(limit) {
    return Math.floor(this.next() * limit);
  }

  /** @template T @param {readonly T[]} list @returns {T} */
  pick(list) {
    return /** @type {T} */ (list[this.below(list.length)]);
  }

  /** A number up to `most` of which each order of magnitude is as likely as another. @param {number} most */
  upTo(most) {
    return Math.floor(most ** this.next());
  }
}

const url = (/** @type {Random} */ random) =>
  `http://10.${random.below(256)}.${random.below(256)}.${random.below(256)}/`;
/** @type {((random: Random) => unknown)[]} */
const SCALARS = [
  () => null,
  () => true,
  () => 0,
  () => -1,
  () => 2 ** 60,
  () => 1e-9,
  () => '',
  () => 'gossip',
  () => '\n\0\u2028\ud83d\ude00',
  (random) => 'x'.repeat(random.upTo(5_000)),
  () => [],
  () => ({}),
  () => [[[{}]]],
];
const scalar = (/** @type {Random} */ random) => random.pick(SCALARS)(random);

/** An entry, or something else in its place. @param {Random} random @param {number} now @returns {unknown} */
function entry(random, now) {
  if (random.below(8) === 0) return scalar(random);
  /** @type {Record<string, unknown>} */
  const it = { baseUrl: url(random), monitor: random.below(2) === 0, lastUpdate: now - random.upTo(1e8) };
  const life = `${now - random.upTo(1e8)}.${random.below(2 ** 31).toString(16)}`;
  if (random.below(2) === 0) it.shazbot = life + random.pick(['', '.f', '.l.', '.d.http://a/', '.x']);
  const change = random.pick(['', '', '', 'baseUrl', 'monitor', 'lastUpdate', 'shazbot', 'more']);
  if (change) it[change] = scalar(random);
  return it;
}

/**
 * @param {Random} random
 * @param {{ now: number, most?: number }} options `most`: entries
 * @returns {any} a message, or something like one
 */
function randomMessage(random, { now, most = 100 }) {
  const list = () => Array.from({ length: random.below(random.upTo(most) + 1) }, () => entry(random, now));
  /** @type {Record<string, unknown>} */
  const it = { message: 'gossip', online: list() };
  if (random.below(3) > 0) it.offline = list();
  const change = random.pick(['', '', '', '', 'message', 'online', 'offline', 'shazbot', 'more']);
  if (change) it[change] = scalar(random);
  return it;
}

/** Texts that stand many times in a body. */
const PARTS = [
  '0,',
  '{},',
  '[',
  '[],',
  '"",',
  'x',
  ' ',
  '\\u0065',
  '\\ud83d\\ude00',
  ' e',
  '{"a":',
  '"\\n",',
  '1e9,',
  'null,',
];

/**
 * @param {Random} random
 * @param {number} now
 * @returns {Buffer}
 */
function randomBody(random, now) {
  const size = random.upTo(MAX_BODY + 1_000);
  const text = random.pick([
    () => JSON.stringify(randomMessage(random, { now, most: 50_000 })),
    () => repeated(random, '{"message":"gossip","online":[', '0]}', size),
    () => repeated(random, '{"message":"gossip","online":["', '"]}', size),
    () => repeated(random, '{"message":"gossip","online":[],"shazbot":"2', '"}', size),
    () => repeated(random, '{"message":"gossip","offline":[', '0],"online":[]}', size),
    () => repeated(random, '', '', size),
    () => many(random, now, size),
  ])();
  const body = Buffer.from(text);
  if (random.below(6) === 0 && body.length > 0) body[random.below(body.length)] = random.below(256);
  return random.below(8) === 0 ? body.subarray(0, random.below(body.length + 1)) : body;
}

/** @param {Random} random @param {string} begin @param {string} end @param {number} size */
function repeated(random, begin, end, size) {
  const part = random.pick(PARTS);
  return begin + part.repeat(Math.max(0, size - begin.length - end.length) / part.length) + end;
}

/** One entry many times, which differs in its URL. @param {Random} random @param {number} now @param {number} size */
function many(random, now, size) {
  const text = JSON.stringify(entry(random, now)) ?? '0';
  const count = Math.min(60_000, Math.floor(size / (text.length + 1)) + 1);
  const entries = Array.from({ length: count }, (_, n) => text.replace('http://10.', `http://${n}.`));
  return `{"message":"gossip","online":[${entries.join()}]}`;
}

module.exports = { Random, randomBody, randomMessage };
