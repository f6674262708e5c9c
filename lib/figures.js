'use strict';

const { engine } = require('./engine.js');
const { settled } = require('./errors.js');
const meter = require('./meter.js');
const { present } = require('./rows.js');

/** @typedef {import('../index.js').MasterListStatus} MasterListStatus */
/** @typedef {[name: string, read: number | null, written: number | null, servers: number, failures: number, failed: number, error: string | null]} ListRow */

/**
 * What has happened since the start, how many servers are known in which state, and the master lists.
 * @returns {{
 *   exchanges: import('../index.js').ShazbotFigures,
 *   members: Record<'online' | 'suspect' | 'drained' | 'left' | 'failed' | 'unknown', number>,
 *   masterLists: MasterListStatus[],
 * }}
 */
function figures() {
  const [ends, classes, counts, took, [sent, received], happened, states, lists] = JSON.parse(
    settled(engine.figures()),
  );
  const [answered, refused, timedOut, unreachable, rejected, failed] = ends;
  const [rumours, suspicions, deaths, refutations] = happened;
  const [online, suspect, drained, left, dead, unknown] = states;
  const inbound = meter.read();
  return {
    exchanges: {
      out: { answered, refused, timedOut, unreachable, rejected, failed },
      in: { ...inbound.in },
      durations: { le: classes.map((/** @type {number} */ ms) => ms / 1000), counts, sum: took / 1000 },
      bytes: { out: { sent, received }, in: { sent: inbound.sent, received: inbound.received } },
      rumours,
      suspicions,
      deaths,
      refutations,
      eventLoop: inbound.eventLoop,
    },
    members: { online, suspect, drained, left, failed: dead, unknown },
    masterLists: lists.map(masterList),
  };
}

/**
 * @param {ListRow} row
 * @returns {MasterListStatus}
 */
function masterList([name, read, written, servers, failures, failed, error]) {
  return { name, failures, failed, servers, ...present({ read, written, error }) };
}

module.exports = { figures };
