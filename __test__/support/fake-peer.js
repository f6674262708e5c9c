'use strict';

const http = require('node:http');

const { close, listen, parse, readBody } = require('./http.js');
const { freePorts } = require('./ports.js');

/** @typedef {{ body: any, authorization: string | undefined, at: number }} Received */
/** @typedef {{ status?: number, body: unknown } | 'hang' | 'reset'} Answer `body`: a string goes out as it is */

/**
 * A peer inside the test process, whose every answer is the test's choice. As long as the test says nothing it
 * answers as a version 1 server does, with itself as the one server that it knows.
 *
 * @param {import('./cluster.js').Scope} scope
 * @param {{ monitor?: boolean, ahead?: number, answer?: (received: Received) => Answer | Promise<Answer> }} [options]
 *   `ahead`: ms by which its clock is fast
 */
async function startFakePeer(scope, { monitor = false, ahead = 0, answer } = {}) {
  const [port] = await freePorts(1);
  const peer = {
    baseUrl: `http://127.0.0.1:${port}/`,
    /** @type {Received[]} Gossip that came in. */
    received: [],
    /** Connections that came in, whatever was sent on them. */
    connections: 0,
    answer,
    entry: () => ({ baseUrl: peer.baseUrl, monitor, lastUpdate: Date.now() + ahead }),
    /** @returns {Answer} */
    alive: () => ({ body: { message: 'gossip', online: [peer.entry()], offline: [] } }),
    stop: () => close(server),
  };
  const server = http.createServer(async (req, res) => {
    const received = { body: parse(await readBody(req)), authorization: req.headers.authorization, at: Date.now() };
    peer.received.push(received);
    const given = peer.answer ? await peer.answer(received) : peer.alive();
    if (given === 'hang') return;
    if (given === 'reset') return req.socket.destroy();
    // Each exchange on a connection of its own, so that one that fails is no left-over of an earlier one.
    res.writeHead(given.status ?? 200, { 'content-type': 'application/json', connection: 'close' });
    res.end(typeof given.body === 'string' ? given.body : JSON.stringify(given.body));
  });
  server.on('connection', () => {
    peer.connections += 1;
  });
  await listen(server, /** @type {number} */ (port));
  scope.after(() => close(server));
  return peer;
}

/**
 * An address where nothing listens.
 *
 * @param {string} [path]
 */
async function nobody(path = '') {
  const [port] = await freePorts(1);
  return `http://127.0.0.1:${port}/${path}`;
}

module.exports = { nobody, startFakePeer };
