'use strict';

// Converts lists of servers to and from strings and typed arrays, which cross to Rust faster than objects.

const { setImmediate } = require('node:timers/promises');

/** @typedef {import('../index.js').GossipServer} GossipServer */
/** @typedef {import('./messages.js').List} List */
/** A server in a message. `shazbot` is the field that only protocol 2 servers have. @typedef {GossipServer & { shazbot?: string }} WireServer */
/** Item i of each array belongs to server i. @typedef {{ urls: string[], shazbotFields?: (string | null)[], flags: Uint8Array, lastUpdates: Float64Array }} UnpackedServers */

// src/binding/packed.rs has the same bits.
const MONITOR = 1;
const OFFLINE = 2;
const HAS_URL = 4;
const HAS_MONITOR = 8;
const HAS_SHAZBOT = 16;
const NOT_READY = 32;

// The engine rejects any longer text: it gets enough of it to do so. A long text would block the event loop.
const MAX_URL = 600;
const MAX_SHAZBOT = 4_000;
/** Entries that are converted in one turn of the event loop. */
const ENTRIES_PER_TURN = 1_000;

/**
 * Packs the lists of a message without judging what they contain: the engine checks that.
 * @param {List} online
 * @param {List} offline
 * @returns {import('./native').PackedMessage}
 */
function pack(online, offline) {
  const count = online.length + offline.length;
  const urls = new Array(count).fill('');
  const shazbotFields = new Array(count).fill('');
  const lastUpdates = new Float64Array(count);
  const flags = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const isOnline = i < online.length;
    const item = isOnline ? online.items[i] : offline.items[i - online.length];
    const { baseUrl, monitor, lastUpdate, shazbot } = Object(item);
    let bits = isOnline ? 0 : OFFLINE;
    if (typeof baseUrl === 'string') {
      bits |= HAS_URL;
      urls[i] = oneLine(cut(baseUrl, MAX_URL));
    }
    if (typeof monitor === 'boolean') bits |= monitor ? HAS_MONITOR | MONITOR : HAS_MONITOR;
    if (!isMissing(shazbot)) {
      bits |= HAS_SHAZBOT;
      if (typeof shazbot === 'string') shazbotFields[i] = oneLine(cut(shazbot, MAX_SHAZBOT));
    }
    lastUpdates[i] = typeof lastUpdate === 'number' ? lastUpdate : Number.NaN;
    flags[i] = bits;
  }
  return { urls: urls.join('\n'), shazbotFields: shazbotFields.join('\n'), lastUpdates, flags };
}

/**
 * Converts a large message to JSON, a part in each turn of the event loop.
 * @param {import('./messages.js').Gossip} message
 */
async function toJson({ online, offline, shazbot }) {
  const texts = [];
  for (const { items, length } of [online, offline]) {
    const parts = [];
    for (let i = 0; i < length; i += ENTRIES_PER_TURN) {
      const entries = Array.from({ length: Math.min(ENTRIES_PER_TURN, length - i) }, (_, n) =>
        plainEntry(items[i + n]),
      );
      parts.push(JSON.stringify(entries).slice(1, -1));
      await setImmediate();
    }
    texts.push(parts.join());
  }
  const field = shazbot === undefined ? '' : `,"shazbot":${JSON.stringify(shazbot)}`;
  return `{"message":"gossip","online":[${texts[0]}],"offline":[${texts[1]}]${field}}`;
}

/**
 * An entry with the same meaning for the engine, and nothing in it that could be large.
 * @param {unknown} item
 */
function plainEntry(item) {
  const { baseUrl, monitor, lastUpdate, shazbot } = Object(item);
  return {
    baseUrl: typeof baseUrl === 'string' ? cut(baseUrl, MAX_URL) : undefined,
    monitor: typeof monitor === 'boolean' ? monitor : undefined,
    lastUpdate: typeof lastUpdate === 'number' ? lastUpdate : undefined,
    shazbot: typeof shazbot === 'string' ? cut(shazbot, MAX_SHAZBOT) : isMissing(shazbot) ? undefined : 0,
  };
}

/**
 * Null counts as no field, as in a body that the engine reads itself.
 * @param {unknown} shazbot
 */
const isMissing = (shazbot) => shazbot === undefined || shazbot === null;

/**
 * @param {string} text
 * @param {number} length
 */
function cut(text, length) {
  return text.length > length ? text.slice(0, length) : text;
}

/**
 * A line feed would shift all lines that follow. The engine rejects NUL like a line feed.
 * @param {string} text
 */
function oneLine(text) {
  return text.includes('\n') ? text.replaceAll('\n', '\0') : text;
}

/**
 * @param {import('./native').PackedServers} packed
 * @returns {UnpackedServers}
 */
function unpack({ urls, shazbotFields, flags, lastUpdates }) {
  return { urls: JSON.parse(urls), shazbotFields: shazbotFields && JSON.parse(shazbotFields), flags, lastUpdates };
}

/**
 * Creates new objects, which the caller may keep and change.
 * @param {UnpackedServers} servers
 * @returns {WireServer[]}
 */
function toObjects({ urls, shazbotFields, flags, lastUpdates }) {
  // A copy, because an array that grows, or begins with holes, takes longer to fill and to serialise.
  const list = /** @type {any[]} */ (urls.slice());
  for (let i = 0; i < urls.length; i++) {
    list[i] = { baseUrl: urls[i], monitor: (flags[i] & MONITOR) !== 0, lastUpdate: lastUpdates[i] };
    const shazbot = shazbotFields?.[i];
    if (shazbot) list[i].shazbot = shazbot;
  }
  return list;
}

/**
 * @param {UnpackedServers} servers
 * @param {number} i
 */
const isMonitor = ({ flags }, i) => (Number(flags[i]) & MONITOR) !== 0;

/**
 * @param {UnpackedServers} servers
 * @param {number} i
 */
const isReady = ({ flags }, i) => (Number(flags[i]) & NOT_READY) === 0;

/**
 * The bits of a server, for the fake cluster of tests.
 * @param {{ monitor: boolean, ready: boolean }} server
 */
const flagsOf = ({ monitor, ready }) => (monitor ? MONITOR : 0) | (ready ? 0 : NOT_READY);

module.exports = { flagsOf, isMonitor, isReady, pack, toJson, toObjects, unpack };
