'use strict';

// Decodes the part that describes a server in the JSON arrays of the engine's events and status.

// src/binding/status.rs has the same bits.
const MONITOR = 1;
const OFFLINE = 2;
const SUSPECT = 4;
const PROTOCOL_2 = 8;

/** @typedef {import('../index.js').OfflineReason} OfflineReason */

/** @param {[baseUrl: string, bits: number, lastUpdate: number, reason: OfflineReason | null, author: string | null]} row */
function decodeServer([baseUrl, bits, lastUpdate, reason, author]) {
  return {
    listed: { baseUrl, monitor: (bits & MONITOR) !== 0, lastUpdate },
    state: /** @type {'online' | 'suspect' | 'offline'} */ (
      bits & OFFLINE ? 'offline' : bits & SUSPECT ? 'suspect' : 'online'
    ),
    protocol: /** @type {1 | 2} */ (bits & PROTOCOL_2 ? 2 : 1),
    // A server that left or was drained is its own author.
    offline: { ...(reason && { reason }), ...(author && author !== baseUrl && { by: author }) },
  };
}

module.exports = { decodeServer };
