'use strict';

// Not the global functions: a test that fakes timers would make the engine believe that the program hangs.
const { clearInterval, setInterval } = require('node:timers');

/** How often the engine is told that the event loop turns, ms: well below the 5 s after which it would doubt it. */
const BEAT = 1_000;

/**
 * Tells an engine that the event loop turns, for as long as anybody can still use it: a Jest registry that is thrown
 * away without a shutdown takes its engine with it.
 * @param {import('./native').Engine} engine
 */
function startBeat(engine) {
  const weak = new WeakRef(engine);
  const timer = setInterval(() => {
    const live = weak.deref();
    if (live) live.beat();
    else clearInterval(timer);
  }, BEAT).unref();
  return timer;
}

module.exports = { startBeat, stopBeat: clearInterval };
