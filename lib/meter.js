'use strict';

const { performance } = require('node:perf_hooks');

/** What a refused request counts as. Others say nothing of whoever asks. */
const kinds = /** @type {const} */ ({
  SHAZBOT_UNAUTHORIZED: 'rejected',
  SHAZBOT_MISDIRECTED: 'rejected',
  SHAZBOT_WRONG_CLUSTER: 'rejected',
  SHAZBOT_INVALID_MESSAGE: 'invalid',
  SHAZBOT_TOO_LARGE: 'invalid',
  SHAZBOT_LIMIT: 'limited',
});

const zero = () => ({ in: { answered: 0, rejected: 0, invalid: 0, limited: 0 }, sent: 0, received: 0, eventLoop: 0 });

/** What requests have come to since the start. */
let meter = zero();

/**
 * Does a request, and counts what that takes of the event loop.
 * @template T
 * @param {() => T} act
 * @returns {T}
 */
function timed(act) {
  const began = performance.now();
  try {
    return act();
  } finally {
    meter.eventLoop += (performance.now() - began) / 1000;
  }
}

/**
 * Does a gossip request, and counts how that ends.
 * @template T
 * @param {() => T} act
 * @returns {T}
 */
function counted(act) {
  try {
    const answer = timed(act);
    meter.in.answered += 1;
    return answer;
  } catch (error) {
    const kind = kinds[/** @type {keyof typeof kinds} */ (/** @type {{ code?: unknown }} */ (error).code)];
    if (kind) meter.in[kind] += 1;
    throw error;
  }
}

/**
 * Counts what a server of ours has sent, and what it is sent.
 * @param {string} received
 * @param {string} sent
 */
function carried(received, sent) {
  meter.received += received.length;
  meter.sent += sent.length;
}

module.exports = {
  carried,
  counted,
  timed,
  read: () => meter,
  reset: () => {
    meter = zero();
  },
};
