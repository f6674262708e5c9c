'use strict';

// Counts the requests of other servers: how they end, their bytes, and the time they take on the event loop.

const { performance } = require('node:perf_hooks');

/** Errors that are counted as a result. Others, such as "not started", say nothing about the request. */
const RESULT_BY_CODE = /** @type {const} */ ({
  SHAZBOT_UNAUTHORIZED: 'rejected',
  SHAZBOT_MISDIRECTED: 'rejected',
  SHAZBOT_WRONG_CLUSTER: 'rejected',
  SHAZBOT_INVALID_MESSAGE: 'invalid',
  SHAZBOT_TOO_LARGE: 'invalid',
  SHAZBOT_LIMIT: 'limited',
});

const zero = () => ({
  results: { answered: 0, rejected: 0, invalid: 0, limited: 0 },
  sent: 0,
  received: 0,
  eventLoop: 0,
});

let counters = zero();

/**
 * Calls a function and adds its duration to the event loop's time.
 * @template T
 * @param {() => T} act
 * @returns {T}
 */
function measureTime(act) {
  const began = performance.now();
  try {
    return act();
  } finally {
    counters.eventLoop += (performance.now() - began) / 1000;
  }
}

/**
 * Answers a gossip request by calling a function; counts its result and its time.
 * @template T
 * @param {() => T} act
 * @returns {T}
 */
function countRequest(act) {
  try {
    const answer = measureTime(act);
    counters.results.answered += 1;
    return answer;
  } catch (error) {
    const { code } = /** @type {{ code?: unknown }} */ (error);
    const result = RESULT_BY_CODE[/** @type {keyof typeof RESULT_BY_CODE} */ (code)];
    if (result) counters.results[result] += 1;
    throw error;
  }
}

/**
 * @param {string} received a message of a version 2 server
 * @param {string} sent the answer to it
 */
function countBytes(received, sent) {
  counters.received += received.length;
  counters.sent += sent.length;
}

function resetInboundCounters() {
  counters = zero();
}

module.exports = { countBytes, countRequest, inboundCounters: () => counters, measureTime, resetInboundCounters };
