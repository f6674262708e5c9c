'use strict';

// Makes up clusters, and the gossip messages of their servers.

const { SECRET } = require('../../../harness/cluster.js');
const { shuffled } = require('./meter.js');

/** The number of servers that left, per server online. */
const GONE = 0.1;
const HOUR = 3_600_000;
/** The unit of the stamps that a message sends by their position in the list, ms. */
const UNIT = 128;
/** Tags as a program may have them: 62 bytes in an entry. */
const TAGS = '>trole=api&zone=eu-central-1a&version=1.14.2&commit=3f9c2d1a7b';
/** Entries of one message: as many as a repair sends at a time. */
const CHUNK = 500;

/**
 * @typedef {object} Server
 * @property {string} baseUrl
 * @property {string | undefined} life incarnation, instance and tags of a server of protocol 2; undefined for version 1
 */
/** @typedef {{ online: Server[], offline: Server[], since: number }} Cluster `since`: the first stamp of all of them */
/** @typedef {(header: string, body: any) => Promise<import('../../..').GossipMessage>} GossipRequest */

/** How long before the first stamp others left, ms: servers that left less than three hours ago are tried again. */
const LEFT = 2 * HOUR;

/**
 * @param {string} origin of all servers; each has a path of its own
 * @param {number} n servers online, including the `added` ones, which the caller makes
 * @param {{ name?: string, added?: number, ours?: (index: number) => boolean, tags?: boolean }} [options] `tags`: whether those
 *   online have tags
 * @returns {Cluster}
 */
function cluster(origin, n, { name = 's', added = 1, ours = () => true, tags = false } = {}) {
  // Less than three hours ago: older entries of servers that are not known are not listed before they answer.
  const since = Date.now() - 2 * HOUR;
  /** @param {number} index @returns {Server} */
  const server = (index) => ({
    baseUrl: `${origin}${name}${String(index).padStart(5, '0')}/`,
    life: ours(index) ? `${since - 3 * HOUR + index}.${(index * 2_654_435_761).toString(16).slice(-8)}` : undefined,
  });
  const make = (/** @type {number} */ count, /** @type {number} */ first) =>
    Array.from({ length: count }, (_, index) => server(first + index));
  const online = make(n - added, 0);
  if (tags) for (const it of online) it.life &&= `${it.life}${TAGS}`;
  return { online, offline: make(Math.round(n * GONE), n), since };
}

/**
 * The messages of a repair, which make a cluster known to a server of protocol 2. It does not pass on what a repair brings.
 *
 * @param {Cluster} cluster
 */
function introductions({ online, offline, since }) {
  const entries = [
    ...online.map(({ baseUrl, life }) => entry('o', since, baseUrl, life)),
    ...offline.map(({ baseUrl, life }) => entry('x', since - LEFT, baseUrl, life && `${life}.l`)),
  ];
  // `w0` requests no bucket, but makes the message a repair.
  return chunks(entries).map((some) => ofOurs(['2', ...some.map((word) => `e${word}`), 'w0'].join(' ')));
}

/** @param {GossipRequest} gossipRequest of a server of protocol 2 @param {Cluster} cluster */
async function introduce(gossipRequest, cluster) {
  for (const message of introductions(cluster)) await gossipRequest(SECRET, message);
}

/** @template T @param {readonly T[]} list @returns {T[][]} */
function chunks(list) {
  const count = Math.ceil(list.length / CHUNK);
  return Array.from({ length: count }, (_, n) => list.slice(n * CHUNK, (n + 1) * CHUNK));
}

/** @param {string} state @param {number} stamp @param {string} baseUrl @param {string | undefined} life */
const entry = (state, stamp, baseUrl, life) => [`${state}${stamp}`, baseUrl, ...(life ? [life] : [])].join('>');

/**
 * @param {string} shazbot
 * @returns {any} a message of protocol 2, whose other fields are not read
 */
const ofOurs = (shazbot) => ({ message: 'gossip', online: [], offline: [], shazbot });

/** @param {unknown} message @returns {string} the field that servers of protocol 2 read */
const textOf = (message) => String(/** @type {{ shazbot?: unknown }} */ (message).shazbot);

/**
 * The words of a text that begin with a letter.
 *
 * @param {string} text
 * @param {string} letter
 */
const words = (text, letter) => text.split(' ').filter((word) => word.startsWith(letter));

/**
 * The own entry of a server.
 *
 * @param {GossipRequest} gossipRequest
 * @returns {Promise<Server>}
 */
async function selfOf(gossipRequest) {
  const [own = ''] = words(textOf(await gossipRequest(SECRET, ofOurs('2'))), 's');
  const [, baseUrl = '', life] = own.split('>');
  return { baseUrl, life };
}

/**
 * The message of a server of protocol 2 to one with an equal list.
 *
 * @param {(body: string) => Promise<string>} gossip sends a message to that server and resolves with the answer
 * @param {Cluster} cluster
 * @returns {Promise<string>} JSON
 */
async function idleMessage(gossip, { online: [first] }) {
  if (!first) throw new Error('the cluster has no server online');
  const self = `2 s${entry('o', Date.now(), first.baseUrl, first.life)}`;
  const ask = async (/** @type {string} */ text) => textOf(JSON.parse(await gossip(JSON.stringify(ofOurs(text)))));
  const [digest] = words(await ask(`${self} d0.0`), 'd');
  // To an equal digest the server answers with stamps.
  const [ages] = words(await ask(`${self} ${digest}`), 'a');
  return JSON.stringify(ofOurs([self, digest, ages].join(' ')));
}

/**
 * Copies of a message of protocol 2, each with newer stamps than the one before, as in a running cluster. The senders
 * take turns, because a server accepts at most a hundred messages a second of one sender.
 *
 * @param {string} json
 * @param {Cluster} cluster
 */
function newer(json, { online: known }) {
  const message = JSON.parse(json);
  const senders = known.filter(({ life }) => life).map(({ baseUrl, life }) => ({ baseUrl, life }));
  const stamp = Number(/^2 so(\d+)/.exec(textOf(message))?.[1]);
  let later = 0;
  const plus = (/** @type {number} */ unit) => (/** @type {string} */ digits) => String(Number(digits) + later * unit);
  return (/** @type {number} */ count) =>
    Array.from({ length: count }, () => {
      later += 1;
      const { baseUrl = '', life } = senders[later % senders.length] ?? {};
      const now = stamp + later * UNIT;
      const text = textOf(message)
        .replace(/(?<=^2 s)\S+/, entry('o', now, baseUrl, life))
        .replace(/(?<= a)\d+/, plus(1));
      const online = message.online.length > 0 ? [{ baseUrl, monitor: false, lastUpdate: now, shazbot: life }] : [];
      return JSON.stringify({ ...message, online, shazbot: text });
    });
}

/**
 * The answer of a server of protocol 2 to one with an equal list.
 *
 * @param {Server} self
 * @param {string} asked
 */
function idleAnswer({ baseUrl, life }, asked) {
  const echoed = [...words(asked, 'd'), ...words(asked, 'a')];
  return ofOurs(['2', `s${entry('o', Date.now(), baseUrl, life)}`, ...echoed].join(' '));
}

/**
 * Whole lists as version 1 sends them, each with newer stamps than the one before, in one random order.
 *
 * @param {Cluster} cluster
 */
function fullMessages({ online, offline, since }) {
  let now = since + HOUR / 2;
  /** @param {Server} server @param {number} lastUpdate @param {string} [reason] */
  const toEntry = ({ baseUrl, life }, lastUpdate, reason = '') => ({
    baseUrl,
    monitor: false,
    lastUpdate,
    ...(life ? { shazbot: `${life}${reason}` } : {}),
  });
  const left = shuffled(offline).map((server) => toEntry(server, since - LEFT, '.l'));
  const order = shuffled(online);
  return (/** @type {number} */ count) =>
    Array.from({ length: count }, () => {
      now += 1;
      const entries = order.map((server, index) => toEntry(server, now + (index % 1000)));
      return JSON.stringify({ message: 'gossip', online: entries, offline: left });
    });
}

module.exports = {
  chunks,
  cluster,
  fullMessages,
  idleAnswer,
  idleMessage,
  introduce,
  introductions,
  newer,
  ofOurs,
  selfOf,
  textOf,
  words,
};
