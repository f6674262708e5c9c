'use strict';

const { version } = require('../package.json');
const { engine } = require('./engine.js');
const { settled } = require('./errors.js');
const { figures } = require('./figures.js');
const { present, server } = require('./rows.js');

/** @typedef {import('../index.js').MemberStatus} MemberStatus */

/**
 * How this server sees itself and the others.
 * @param {number} startedAt
 * @param {import('../index.js').MemberEvent[]} recent
 * @returns {import('../index.js').ShazbotStatus}
 */
function status(startedAt, recent) {
  const [at, interval, baseUrl, inAt, from, outAt, to, rows] = JSON.parse(settled(engine.status()));
  const { exchanges, masterLists } = figures();
  /** @type {MemberStatus[]} */
  const members = rows.map(member);
  const own = /** @type {MemberStatus} */ (members.find((it) => it.baseUrl === baseUrl));
  return {
    baseUrl,
    state: own.state === 'offline' ? (own.reason === 'left' ? 'left' : 'drained') : 'online',
    monitor: own.monitor,
    version,
    at,
    startedAt,
    interval: interval / 1000,
    ...(inAt !== null && { lastIn: present({ at: inAt, baseUrl: from }) }),
    ...(outAt !== null && { lastOut: { at: outAt, baseUrl: to } }),
    members,
    masterLists,
    recent,
    exchanges,
  };
}

/**
 * @param {any[]} row
 * @returns {MemberStatus}
 */
function member([baseUrl, bits, lastUpdate, reason, by, incarnation, since, answered, heard, failures]) {
  const { listed, state, protocol, why } = server([baseUrl, bits, lastUpdate, reason, by]);
  return {
    ...listed,
    state,
    protocol,
    ...why,
    ...(incarnation !== null && { incarnation }),
    since,
    ...(answered !== null && { answered }),
    ...(heard !== null && { heard }),
    failures,
  };
}

module.exports = { status };
