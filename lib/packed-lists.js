'use strict';

// Converts lists of servers to and from strings and typed arrays, which cross to Rust faster than objects.

/** @typedef {import('../index.js').GossipServer} GossipServer */
/** A server in a message. `shazbot` is the field that only version 2 servers have. @typedef {GossipServer & { shazbot?: string }} WireServer */
/** Item i of each array belongs to server i. @typedef {{ urls: string[], shazbotFields?: (string | null)[], flags: Uint8Array, lastUpdates: Float64Array }} UnpackedServers */

// src/binding/packed.rs has the same bits.
const MONITOR = 1;
const OFFLINE = 2;
const HAS_URL = 4;
const HAS_MONITOR = 8;
const HAS_SHAZBOT = 16;

/**
 * Packs the lists of a message without judging what they contain: the engine checks that.
 * @param {readonly unknown[]} online
 * @param {readonly unknown[]} offline
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
    const { baseUrl, monitor, lastUpdate, shazbot } = Object(isOnline ? online[i] : offline[i - online.length]);
    let bits = isOnline ? 0 : OFFLINE;
    if (typeof baseUrl === 'string') {
      bits |= HAS_URL;
      urls[i] = oneLine(baseUrl);
    }
    if (typeof monitor === 'boolean') bits |= monitor ? HAS_MONITOR | MONITOR : HAS_MONITOR;
    if (shazbot !== undefined) {
      bits |= HAS_SHAZBOT;
      if (typeof shazbot === 'string') shazbotFields[i] = oneLine(shazbot);
    }
    lastUpdates[i] = typeof lastUpdate === 'number' ? lastUpdate : Number.NaN;
    flags[i] = bits;
  }
  return { urls: urls.join('\n'), shazbotFields: shazbotFields.join('\n'), lastUpdates, flags };
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

module.exports = { pack, toObjects, unpack };
