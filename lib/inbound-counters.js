'use strict';

// Counts the requests of other servers: how they end, their bytes, and the time they take on the event loop.

const { performance } = require('node:perf_hooks');
const { isPromise } = require('node:util').types;

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
 * Answers a gossip request by calling a function; counts its result, and its time until it returns.
 * @template T
 * @param {() => T | Promise<T>} act
 * @returns {T | Promise<T>}
 */
function countRequest(act) {
  try {
    const answer = measureTime(act);
    // Most answers are there at once, and a promise would cost more than some of them.
    if (isPromise(answer)) return answer.then(countAnswered, countFailed);
    return countAnswered(answer);
  } catch (error) {
    return countFailed(error);
  }
}

/**
 * @template T
 * @param {T} answer
 */
function countAnswered(answer) {
  counters.results.answered += 1;
  return answer;
}

/**
 * @param {unknown} error
 * @returns {never}
 */
function countFailed(error) {
  const { code } = /** @type {{ code?: unknown }} */ (error);
  const result = RESULT_BY_CODE[/** @type {keyof typeof RESULT_BY_CODE} */ (code)];
  if (result) counters.results[result] += 1;
  throw error;
}

/**
 * @param {number} received the length of a message of a protocol 2 server
 * @param {number} sent that of the answer to it
 */
function countBytes(received, sent) {
  counters.received += received;
  counters.sent += sent;
}

function resetInboundCounters() {
  counters = zero();
}

module.exports = { countBytes, countRequest, inboundCounters: () => counters, measureTime, resetInboundCounters };
