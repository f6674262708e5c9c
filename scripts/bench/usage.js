'use strict';

// Computes how busy a server's main thread was, from what the server reports before and after.

const { performance } = require('node:perf_hooks');

/**
 * The answer of a test server to the order `usage`.
 * @typedef {{ loop: import('node:perf_hooks').EventLoopUtilization, cpu?: number }} Usage
 */

/**
 * @param {Usage} before
 * @param {Usage} after
 * @returns {{ busy: number, utilization: number, ran: number }} `busy`: ms the event loop did not wait; `ran`: ms of CPU time
 *   of the thread, NaN on systems that do not count it
 */
function used(before, after) {
  const { active, utilization } = performance.eventLoopUtilization(after.loop, before.loop);
  return { busy: active, utilization, ran: (after.cpu ?? Number.NaN) - (before.cpu ?? Number.NaN) };
}

module.exports = { used };
