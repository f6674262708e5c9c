'use strict';

// Leaves the cluster when the HTTP server that answers the others has stopped listening. Without this, a program that closes
// its server without `shazbotShutDown()` would wait for the silent connections of the others, and be listed as failed.

// Imported, because tests may fake the global timers.
const { clearInterval, setInterval } = require('node:timers');

const CHECK_INTERVAL_MS = 500;

/** Servers that have answered gossip and listen. @type {Set<import('node:net').Server>} */
const listening = new Set();
/** @type {NodeJS.Timeout | undefined} */
let timer;

/**
 * @param {object} incoming a gossip request that was answered
 * @param {() => Promise<void>} leave
 */
function leaveWhenClosed(incoming, leave) {
  // Other runtimes than Node, and requests that tests make up, may not have it.
  const server = /** @type {any} */ (incoming).socket?.server;
  if (!server?.listening) return;
  listening.add(server);
  timer ??= setInterval(check, CHECK_INTERVAL_MS, leave).unref();
}

/** @param {() => Promise<void>} leave */
function check(leave) {
  for (const server of listening) if (!server.listening) listening.delete(server);
  if (listening.size > 0) return;
  clearInterval(timer);
  timer = undefined;
  // An engine that has failed has reported that.
  leave().catch(() => {});
}

module.exports = { leaveWhenClosed };
