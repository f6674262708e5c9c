'use strict';

// Tells the engine once a second that the event loop is running, so that a program that hangs stops gossiping.

// Imported, because tests that fake the global timers would make the engine believe that the program hangs.
const { clearInterval, setInterval } = require('node:timers');

/** Well below the 5 s after which the engine considers the event loop blocked. */
const INTERVAL_MS = 1_000;

/** @type {NodeJS.Timeout | undefined} */
let timer;

/**
 * Holds the engine weakly: Jest may throw a registry away without a shutdown, and the engine must go with it. For the same
 * reason this file must not import `engine.js`.
 * @param {import('./native').Engine} engine
 */
function startHeartbeat(engine) {
  const weak = new WeakRef(engine);
  // Only tests set the variable: their engine's time runs faster, see CONTRIBUTING.md.
  const speed = Number.parseInt(process.env.SHAZBOT_TEST_CLOCK ?? '1', 10);
  timer ??= setInterval(() => {
    const live = weak.deref();
    if (live) live.heartbeat();
    else stopHeartbeat();
  }, INTERVAL_MS / speed).unref();
}

function stopHeartbeat() {
  clearInterval(timer);
  timer = undefined;
}

module.exports = { startHeartbeat, stopHeartbeat };
