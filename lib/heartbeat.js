'use strict';

// Tells the engine once a second that the event loop is running, so that a program that hangs stops gossiping.

// Imported, because tests that fake the global timers would make the engine believe that the program hangs.
const { clearInterval, setInterval } = require('node:timers');

/** @type {NodeJS.Timeout | undefined} */
let timer;

/**
 * Holds the engine weakly: Jest may throw a registry away without a shutdown, and the engine must go with it. For the same
 * reason this file must not import `engine.js`.
 * @param {import('./native').Engine} engine
 */
function startHeartbeat(engine) {
  const weak = new WeakRef(engine);
  timer ??= setInterval(() => {
    const live = weak.deref();
    if (live) live.heartbeat();
    else stopHeartbeat();
  }, engine.heartbeatInterval).unref();
}

function stopHeartbeat() {
  clearInterval(timer);
  timer = undefined;
}

module.exports = { startHeartbeat, stopHeartbeat };
