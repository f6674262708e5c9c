'use strict';

/**
 * The environment variable that makes time run faster in servers: all clocks and waits of the engine, and the heartbeat.
 * Not the test's own time, nor that of version 1 servers. The clocks of servers that get the same value agree.
 *
 * A server stops gossiping when its event loop stalls for 5 s of its own time: with a speed of 5, a second on a busy machine.
 *
 * @param {number} speed an integer
 */
function fastClock(speed) {
  return { SHAZBOT_TEST_CLOCK: `${speed}@${Date.now()}` };
}

module.exports = { fastClock };
