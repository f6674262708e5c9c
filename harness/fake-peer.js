'use strict';

const http = require('node:http');
const https = require('node:https');

const { close, listen, parse, readBody } = require('./http.js');
const { freePorts } = require('./ports.js');

/** @typedef {{ body: any, authorization: string | undefined, at: number }} Received */
/** @typedef {(res: http.ServerResponse) => void} Writer */
/**
 * `body`: a string goes out as it is. A function writes whatever it likes.
 * @typedef {{ status?: number, body: unknown } | 'hang' | 'reset' | Writer} Answer
 */

/**
 * A peer inside the test process, whose every answer is the test's choice. As long as the test says nothing it
 * answers as a version 1 server does, with itself as the one server that it knows.
 *
 * @param {import('./cluster.js').Scope} scope
 * @param {object} [options]
 * @param {boolean} [options.monitor]
 * @param {number} [options.ahead] ms by which its clock is fast
 * @param {(received: Received) => Answer | Promise<Answer>} [options.answer]
 * @param {{ key: Buffer, cert: Buffer }} [options.tls] of a peer over https
 */
async function startFakePeer(scope, { monitor = false, ahead = 0, answer, tls } = {}) {
  const [port] = await freePorts(1);
  const peer = {
    baseUrl: `${tls ? 'https' : 'http'}://127.0.0.1:${port}/`,
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
  /** @type {http.RequestListener} */
  const listener = async (req, res) => {
    const received = { body: parse(await readBody(req)), authorization: req.headers.authorization, at: Date.now() };
    peer.received.push(received);
    const given = peer.answer ? await peer.answer(received) : peer.alive();
    if (given === 'hang') return;
    if (given === 'reset') return req.socket.destroy();
    if (typeof given === 'function') return given(res);
    // Each exchange on a connection of its own, so that one that fails is no left-over of an earlier one.
    res.writeHead(given.status ?? 200, { 'content-type': 'application/json', connection: 'close' });
    res.end(typeof given.body === 'string' ? given.body : JSON.stringify(given.body));
  };
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
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
