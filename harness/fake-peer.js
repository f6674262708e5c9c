'use strict';

// A peer inside the test process, with the answers that a test chooses.

const http = require('node:http');
const https = require('node:https');

const { close, listen, parse, readBody } = require('./http.js');
const { freePorts } = require('./ports.js');

/** @typedef {{ body: any, authorization: string | undefined, at: number, certificate: string | undefined }} Received `certificate`: the fingerprint of the client's */
/** @typedef {(res: http.ServerResponse) => void} Writer */
/**
 * `body`: a string is sent as it is, anything else as JSON. A function writes the response itself.
 * @typedef {{ status?: number, body: unknown } | 'hang' | 'reset' | Writer} Answer
 */

/**
 * Starts a peer. Without `answer` it answers like a version 1 server that knows only itself.
 *
 * @param {import('./cluster.js').Scope} scope
 * @param {object} [options]
 * @param {boolean} [options.monitor]
 * @param {number} [options.ahead] how far its clock is fast, ms
 * @param {(received: Received) => Answer | Promise<Answer>} [options.answer]
 * @param {https.ServerOptions} [options.tls] makes it listen for https
 */
async function startFakePeer(scope, { monitor = false, ahead = 0, answer, tls } = {}) {
  const [port] = await freePorts(1);
  const peer = {
    baseUrl: `${tls ? 'https' : 'http'}://127.0.0.1:${port}/`,
    /** @type {Received[]} Gossip received. */
    received: [],
    /** The number of connections accepted, also of those without a request. */
    connections: 0,
    /** The codes of failed TLS handshakes. @type {(string | undefined)[]} */
    tlsErrors: [],
    answer,
    entry: () => ({ baseUrl: peer.baseUrl, monitor, lastUpdate: Date.now() + ahead }),
    /** @returns {Answer} */
    alive: () => ({ body: { message: 'gossip', online: [peer.entry()], offline: [] } }),
    stop: () => close(server),
    /** Changes its TLS settings, for new connections. @param {https.ServerOptions} options */
    setTls: (options) => /** @type {https.Server} */ (server).setSecureContext(options),
  };
  /** @type {http.RequestListener} */
  const listener = async (req, res) => {
    const certificate = /** @type {import('node:tls').TLSSocket} */ (req.socket).getPeerCertificate?.()?.fingerprint256;
    const { authorization } = req.headers;
    const received = { body: parse(await readBody(req)), authorization, at: Date.now(), certificate };
    peer.received.push(received);
    const given = peer.answer ? await peer.answer(received) : peer.alive();
    if (given === 'hang') return;
    if (given === 'reset') return req.socket.destroy();
    if (typeof given === 'function') return given(res);
    // A new connection for each exchange, so that a failure of one cannot come from an earlier one.
    res.writeHead(given.status ?? 200, { 'content-type': 'application/json', connection: 'close' });
    res.end(typeof given.body === 'string' ? given.body : JSON.stringify(given.body));
  };
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
  server.on('connection', () => {
    peer.connections += 1;
  });
  server.on('tlsClientError', (/** @type {NodeJS.ErrnoException} */ { code }) => peer.tlsErrors.push(code));
  await listen(server, /** @type {number} */ (port));
  scope.after(() => close(server));
  return peer;
}

/**
 * A URL whose port nothing listens on.
 *
 * @param {string} [path]
 */
async function unusedUrl(path = '') {
  const [port] = await freePorts(1);
  return `http://127.0.0.1:${port}/${path}`;
}

module.exports = { unusedUrl, startFakePeer };
