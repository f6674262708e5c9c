'use strict';

// Leaves the cluster when the HTTP server that answers the others has stopped listening, and ends the connections that would
// keep it from closing. Without this, a program that closes its server without `shazbotShutDown()` would wait for the silent
// connections of the others, and be listed as failed.

// Imported, because tests may fake the global timers.
const { clearInterval, setInterval, setTimeout } = require('node:timers');

const CHECK_INTERVAL_MS = 500;
/** After a leave the others close their connections at once. */
const CLOSED_BY_OTHERS_MS = 1_000;

/** @typedef {import('node:net').Server} Server */
/** @typedef {import('node:net').Socket} Socket */

/**
 * The servers that listen and have answered gossip, each with the connections that it has accepted since then. Older watches do
 * not matter: peers renew them every 15 s.
 * @type {Map<Server, Connections>}
 */
const listening = new Map();
/** @type {NodeJS.Timeout | undefined} */
let timer;

class Connections {
  /** @type {Set<Socket>} */
  #open = new Set();
  #server;
  #event;

  /**
   * @param {Server} server
   * @param {string} event that it emits for each connection
   */
  constructor(server, event) {
    this.#server = server;
    this.#event = event;
    server.on(event, this.#add);
  }

  #add = (/** @type {Socket} */ socket) => {
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  };

  /**
   * Ends each connection after its next response. A proxy such as nginx reuses its connections, and Node would wait until it
   * stops.
   */
  endAfterResponses() {
    const server = this.#server;
    /** @param {any} request @param {any} response */
    const end = (request, response) => {
      // The program may listen again, and close again: listeners must not pile up.
      if (server.listening) server.off('request', end);
      else if (request.httpVersionMajor === 1) response.setHeader('Connection', 'close');
    };
    server.prependListener('request', end);
  }

  /**
   * Closes those that have never sent a request. A peer whose host vanished, or was cut off for a while, never closes its end,
   * and Node 24 and older wait for that without a limit.
   */
  closeSilent() {
    this.#server.off(this.#event, this.#add);
    for (const socket of this.#open) if (socket.bytesRead === 0) socket.destroy();
  }
}

/**
 * @param {object} incoming a gossip request that was answered
 * @param {() => Promise<void>} leave
 */
function leaveWhenClosed(incoming, leave) {
  // Other runtimes than Node, and requests that tests make up, may not have it.
  const socket = /** @type {any} */ (incoming).socket;
  const server = socket?.server;
  if (!server?.listening || listening.has(server)) return;
  listening.set(server, new Connections(server, socket.encrypted ? 'secureConnection' : 'connection'));
  timer ??= setInterval(check, CHECK_INTERVAL_MS, leave).unref();
}

/** @param {() => Promise<void>} leave */
function check(leave) {
  for (const [server, connections] of listening) {
    if (server.listening) continue;
    listening.delete(server);
    connections.endAfterResponses();
    setTimeout(() => connections.closeSilent(), CLOSED_BY_OTHERS_MS).unref();
  }
  if (listening.size > 0) return;
  clearInterval(timer);
  timer = undefined;
  // An engine that has failed has reported that.
  leave().catch(() => {});
}

module.exports = { leaveWhenClosed };
