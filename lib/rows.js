'use strict';

// The same bits are in src/binding/status.rs.
const MONITOR = 1;
const OFFLINE = 2;
const SUSPECT = 4;
const OURS = 8;

/** @typedef {import('../index.js').OfflineReason} OfflineReason */

/**
 * Names what the engine tells of a server in a row.
 * @param {[baseUrl: string, bits: number, lastUpdate: number, reason: OfflineReason | null, by: string | null]} row
 */
function server([baseUrl, bits, lastUpdate, reason, by]) {
  return {
    state: /** @type {'online' | 'suspect' | 'offline'} */ (
      bits & OFFLINE ? 'offline' : bits & SUSPECT ? 'suspect' : 'online'
    ),
    protocol: /** @type {1 | 2} */ (bits & OURS ? 2 : 1),
    listed: { baseUrl, monitor: (bits & MONITOR) !== 0, lastUpdate },
    // Who left or was drained has said so itself.
    why: { ...(reason && { reason }), ...(by && by !== baseUrl && { by }) },
  };
}

/**
 * The properties that have a value.
 * @template {object} T
 * @param {T} object
 * @returns {{ [K in keyof T]: Exclude<T[K], null> }}
 */
function present(object) {
  const entries = Object.entries(object).filter(([, value]) => value !== null && value !== undefined);
  return /** @type {any} */ (Object.fromEntries(entries));
}

module.exports = { present, server };
