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

/** The servers that have answered gossip and listen, with the connections since then: peers renew theirs every 15 s. @type {Map<Server, Connections>} */
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
   * Lets each further response end its connection. A proxy such as nginx sends one request after another on a connection that
   * it has, and Node would wait for its end.
   */
  endAfterResponses() {
    this.#server.prependListener('request', (request, response) => {
      if (!this.#server.listening && request.httpVersionMajor === 1) response.setHeader('Connection', 'close');
    });
  }

  /**
   * Closes those that have never sent a request. If the host of a peer has vanished, or was cut off for a while, its end of a
   * connection is gone. Node 24 and older wait for such a connection for ever.
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
