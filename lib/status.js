'use strict';

// Builds the result of `shazbotStatus()`.

const { version } = require('../package.json');
const { counters } = require('./counters.js');
const { decodeServer } = require('./decode.js');
const { engine } = require('./engine.js');
const { unwrap } = require('./errors.js');

/**
 * @param {number} startedAt
 * @param {import('../index.js').MemberEvent[]} recent
 * @returns {import('../index.js').ShazbotStatus}
 */
function status(startedAt, recent) {
  // src/binding/status.rs documents the fields.
  const row = JSON.parse(unwrap(engine.status()));
  const [at, intervalMs, baseUrl, lastInAt, lastInUrl, lastOutAt, lastOutUrl, memberRows] = row;
  const { exchanges, masterLists } = counters();
  /** @type {import('../index.js').MemberStatus[]} */
  const members = memberRows.map(decodeMember);
  const own = /** @type {import('../index.js').MemberStatus} */ (members.find((member) => member.baseUrl === baseUrl));
  return {
    baseUrl,
    state: own.state === 'offline' ? (own.reason === 'left' ? 'left' : 'drained') : 'online',
    monitor: own.monitor,
    version,
    at,
    startedAt,
    interval: intervalMs / 1000,
    ...(lastInAt !== null && { lastIn: { at: lastInAt, ...(lastInUrl !== null && { baseUrl: lastInUrl }) } }),
    ...(lastOutAt !== null && { lastOut: { at: lastOutAt, baseUrl: lastOutUrl } }),
    members,
    masterLists,
    recent,
    exchanges,
  };
}

/**
 * @param {any[]} row
 * @returns {import('../index.js').MemberStatus}
 */
function decodeMember([baseUrl, bits, lastUpdate, reason, author, incarnation, since, answered, heard, failures]) {
  const { listed, state, protocol, offline } = decodeServer([baseUrl, bits, lastUpdate, reason, author]);
  return {
    ...listed,
    state,
    protocol,
    ...offline,
    ...(incarnation !== null && { incarnation }),
    since,
    ...(answered !== null && { answered }),
    ...(heard !== null && { heard }),
    failures,
  };
}

module.exports = { status };
