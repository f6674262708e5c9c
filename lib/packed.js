'use strict';

/** @typedef {import('./native').Packed} Packed */
/** @typedef {import('../index.js').GossipServer} GossipServer */
/** A server as it goes over the wire. @typedef {GossipServer & { shazbot?: string }} WireServer */

// The same bits are in src/binding/packed.rs.
const MONITOR = 1;
const OFFLINE = 2;
const HAS_URL = 4;
const HAS_MONITOR = 8;
const HAS_LIFE = 16;

/**
 * Takes lists apart for the engine, whatever they hold: it judges the parts.
 * @param {readonly unknown[]} online
 * @param {readonly unknown[]} offline
 * @returns {Packed}
 */
function pack(online, offline) {
  const count = online.length + offline.length;
  const urls = new Array(count);
  const lives = new Array(count);
  const stamps = new Float64Array(count);
  const flags = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const isOnline = i < online.length;
    const server = Object(isOnline ? online[i] : offline[i - online.length]);
    const { baseUrl, monitor, lastUpdate, shazbot } = server;
    let bits = isOnline ? 0 : OFFLINE;
    urls[i] = '';
    if (typeof baseUrl === 'string') {
      bits |= HAS_URL;
      urls[i] = oneLine(baseUrl);
    }
    if (typeof monitor === 'boolean') bits |= monitor ? HAS_MONITOR | MONITOR : HAS_MONITOR;
    lives[i] = '';
    if (shazbot !== undefined) {
      bits |= HAS_LIFE;
      if (typeof shazbot === 'string') lives[i] = oneLine(shazbot);
    }
    stamps[i] = typeof lastUpdate === 'number' ? lastUpdate : Number.NaN;
    flags[i] = bits;
  }
  return { urls: urls.join('\n'), lives: lives.join('\n'), stamps, flags };
}

// A line feed would shift what follows; the engine refuses a NUL just as well.
/** @param {string} text */
function oneLine(text) {
  return text.includes('\n') ? text.replaceAll('\n', '\0') : text;
}

/**
 * Servers as they are kept, and as they are made: of each its URL, its bits, its stamp, and what servers of ours say besides.
 * @typedef {{ urls: string[], lives?: (string | null)[], flags: Uint8Array, stamps: Float64Array }} Servers
 */

/**
 * @param {import('./native').Servers} servers
 * @returns {Servers}
 */
function unpack({ urls, lives, flags, stamps }) {
  return { urls: JSON.parse(urls), lives: lives && JSON.parse(lives), flags, stamps };
}

/**
 * Makes servers, for the caller to keep and to change.
 * @param {Servers} servers
 * @returns {WireServer[]}
 */
function objects({ urls, lives, flags, stamps }) {
  // An array that grows, or that has holes at first, takes longer to fill and to stringify.
  const list = /** @type {any[]} */ (urls.slice());
  for (let i = 0; i < urls.length; i++) {
    list[i] = { baseUrl: urls[i], monitor: (flags[i] & MONITOR) !== 0, lastUpdate: stamps[i] };
    const life = lives?.[i];
    if (life) list[i].shazbot = life;
  }
  return list;
}

module.exports = { objects, pack, unpack };
