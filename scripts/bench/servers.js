'use strict';

// Made-up clusters, and the messages of their servers.

const { SECRET } = require('../../__test__/support/cluster.js');
const { shuffled } = require('./meter.js');

/** For each server that is online, so many that left. */
const GONE = 0.1;
const HOUR = 3_600_000;
/** Stamps that go by place are told in units of so many ms. */
const UNIT = 128;
/** Entries of one message: as many as a repair brings at a time. */
const CHUNK = 500;

/**
 * @typedef {object} Server
 * @property {string} baseUrl
 * @property {string | undefined} life what servers of ours say of themselves besides, unless it is of version 1
 */
/** @typedef {{ online: Server[], offline: Server[], since: number }} Cluster `since`: the stamp of all of them at first */
/** @typedef {typeof import('../..').shazbotGossipRequest} GossipRequest */

/**
 * @param {string} origin where all of them are, each under a path of its own
 * @param {number} n servers online, those included that the caller adds
 * @param {{ name?: string, added?: number, ours?: (index: number) => boolean }} [options]
 * @returns {Cluster}
 */
function cluster(origin, n, { name = 's', added = 1, ours = () => true } = {}) {
  // Those that left later than three hours ago are tried again.
  const since = Date.now() - 4 * HOUR;
  /** @param {number} index @returns {Server} */
  const server = (index) => ({
    baseUrl: `${origin}${name}${String(index).padStart(5, '0')}/`,
    life: ours(index) ? `${since - HOUR + index}.${(index * 2_654_435_761).toString(16).slice(-8)}` : undefined,
  });
  const make = (/** @type {number} */ count, /** @type {number} */ first) =>
    Array.from({ length: count }, (_, index) => server(first + index));
  return { online: make(n - added, 0), offline: make(Math.round(n * GONE), n), since };
}

/**
 * What lets a server of ours know a cluster, as a repair does: news that comes so is told to nobody.
 *
 * @param {Cluster} cluster
 */
function introductions({ online, offline, since }) {
  const said = [
    ...online.map(({ baseUrl, life }) => entry('o', since, baseUrl, life)),
    ...offline.map(({ baseUrl, life }) => entry('x', since, baseUrl, life && `${life}.l`)),
  ];
  // It asks for no bucket, which makes it a repair all the same.
  return chunks(said).map((some) => ofOurs(['2', ...some.map((word) => `e${word}`), 'w0'].join(' ')));
}

/** @param {GossipRequest} gossipRequest of a server of ours @param {Cluster} cluster */
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
 * @returns {any} a message of ours: what is beside this field is not read
 */
const ofOurs = (shazbot) => ({ message: 'gossip', online: [], offline: [], shazbot });

/** @param {unknown} message @returns {string} what servers of ours read of it */
const textOf = (message) => String(/** @type {{ shazbot?: unknown }} */ (message).shazbot);

/**
 * The words of a text that begin with a letter.
 *
 * @param {string} text
 * @param {string} letter
 */
const words = (text, letter) => text.split(' ').filter((word) => word.startsWith(letter));

/**
 * What a server says of itself.
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
 * What a server of ours says to one that lists the same.
 *
 * @param {(body: string) => Promise<string>} gossip with that one
 * @param {Cluster} cluster
 * @returns {Promise<string>} JSON
 */
async function idleMessage(gossip, { online: [first] }) {
  if (!first) throw new Error('nobody is there to say it');
  const self = `2 s${entry('o', Date.now(), first.baseUrl, first.life)}`;
  const ask = async (/** @type {string} */ text) => textOf(JSON.parse(await gossip(JSON.stringify(ofOurs(text)))));
  const [digest] = words(await ask(`${self} d0.0`), 'd');
  // Now they list the same, and are told stamps.
  const [ages] = words(await ask(`${self} ${digest}`), 'a');
  return JSON.stringify(ofOurs([self, digest, ages].join(' ')));
}

/**
 * Copies of a message of ours, each with newer stamps than the one before, as in a cluster that runs: of many servers in
 * turn, since of one no more than a hundred are taken in a second.
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
 * The answer of a server of ours that lists what the asker lists.
 *
 * @param {Server} self
 * @param {string} asked
 */
function idleAnswer({ baseUrl, life }, asked) {
  const echoed = [...words(asked, 'd'), ...words(asked, 'a')];
  return ofOurs(['2', `s${entry('o', Date.now(), baseUrl, life)}`, ...echoed].join(' '));
}

/**
 * Full messages of version 1, each newer than the one before, in the order in which its sender learned of the servers.
 *
 * @param {Cluster} cluster
 */
function fullMessages({ online, offline, since }) {
  let now = since + HOUR / 2;
  /** @param {Server} server @param {number} lastUpdate @param {string} [reason] */
  const written = ({ baseUrl, life }, lastUpdate, reason = '') => ({
    baseUrl,
    monitor: false,
    lastUpdate,
    ...(life ? { shazbot: `${life}${reason}` } : {}),
  });
  const left = shuffled(offline).map((server) => written(server, since, '.l'));
  const order = shuffled(online);
  return (/** @type {number} */ count) =>
    Array.from({ length: count }, () => {
      now += 1;
      const entries = order.map((server, index) => written(server, now + (index % 1000)));
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
