'use strict';

// Reads the counters of the engine: for the status, the metrics and the health indicator.

const { engine } = require('./engine.js');
const { unwrap } = require('./errors.js');
const { inboundCounters } = require('./inbound-counters.js');

/** @typedef {[name: string, read: number | null, written: number | null, servers: number, failures: number, failed: number, error: string | null]} MasterListRow */

/**
 * Counters since the start, the number of known servers by state, the master lists, the number of servers with which the
 * last exchange failed, by its code: apart from those that left or are drained, and the number of warnings that hold by code.
 * @returns {{
 *   exchanges: import('../index.js').ShazbotCounters,
 *   members: Record<'online' | 'suspect' | 'drained' | 'left' | 'failed' | 'unknown', number>,
 *   masterLists: import('../index.js').MasterListStatus[],
 *   failing: Record<string, number>,
 *   warnings: Record<string, number>,
 * }}
 */
function counters() {
  // src/binding/status.rs documents the fields.
  const row = JSON.parse(unwrap(engine.counters()));
  const [results, limitsMs, counts, sumMs, [sent, received], totals, states, masterLists, watches, causes, warnings] =
    row;
  const [answered, refused, timedOut, unreachable, rejected, failed] = results;
  const [updates, suspicions, deaths, refutations] = totals;
  const [online, suspect, drained, left, dead, unknown] = states;
  const [open, closed, vanished, notOpened, probes] = watches;
  const inbound = inboundCounters();
  return {
    exchanges: {
      out: { answered, refused, timedOut, unreachable, rejected, failed },
      in: { ...inbound.results },
      durations: { le: limitsMs.map((/** @type {number} */ ms) => ms / 1000), counts, sum: sumMs / 1000 },
      bytes: { out: { sent, received }, in: { sent: inbound.sent, received: inbound.received } },
      updates,
      suspicions,
      deaths,
      refutations,
      watches: { open, closed, vanished, notOpened, probes },
      eventLoop: inbound.eventLoop,
    },
    members: { online, suspect, drained, left, failed: dead, unknown },
    masterLists: masterLists.map(decodeMasterList),
    failing: countsOf(causes),
    warnings: countsOf(warnings),
  };
}

/**
 * @param {(string | number)[]} pairs names and numbers in turn
 * @returns {Record<string, number>}
 */
function countsOf(pairs) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (let i = 0; i < pairs.length; i += 2) counts[String(pairs[i])] = Number(pairs[i + 1]);
  return counts;
}

/**
 * @param {MasterListRow} row
 * @returns {import('../index.js').MasterListStatus}
 */
function decodeMasterList([name, read, written, servers, failures, failed, error]) {
  return {
    name,
    failures,
    failed,
    servers,
    ...(read !== null && { read }),
    ...(written !== null && { written }),
    ...(error !== null && { error }),
  };
}

module.exports = { counters };
