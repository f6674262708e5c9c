'use strict';

const { performance } = require('node:perf_hooks');

/** What server.js of the tests tells of its thread. @typedef {{ loop: import('node:perf_hooks').EventLoopUtilization, cpu?: number }} Usage */

/**
 * How long a thread was busy between two moments, and how long it ran, ms; the latter is NaN where no system tells it.
 *
 * @param {Usage} before
 * @param {Usage} after
 */
function used(before, after) {
  const { active, utilization } = performance.eventLoopUtilization(after.loop, before.loop);
  return { busy: active, utilization, ran: (after.cpu ?? Number.NaN) - (before.cpu ?? Number.NaN) };
}

module.exports = { used };
