'use strict';

// A server of the cluster on the kind of HTTP server that TEST_SERVER names, in a process of its own. It prints what it lists in a
// line `state {…}` whenever that changes, and ends on SIGTERM in the order that TEST_END names.

const { readFileSync, rmSync } = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const https = require('node:https');
const net = require('node:net');
const path = require('node:path');
const tls = require('node:tls');
const { createGzip } = require('node:zlib');
const express = require('express');
const { shazbotShutDown, shazbotStart, shazbotStatus } = require('../..');
const { shazbotRouter } = require('../../lib/express.js');

/** @typedef {(req: any, res: any, next: () => void) => void} Middleware */

const { TEST_SERVER = '', TEST_END = '', TEST_PAIR = '', TEST_PORT } = process.env;
const HOST = '127.0.0.1';
const port = Number(TEST_PORT);
const socket = path.join(TEST_PAIR, `${port}.sock`);
const pair = () => ({ key: read('key.pem'), cert: read('cert.pem') });
/** @type {NodeJS.Timeout | undefined} */
let printing;
/** @param {string} name */
const read = (name) => readFileSync(path.join(TEST_PAIR, name));

async function start() {
  await shazbotStart();
  printing = setInterval(print, 50);
}

/** @param {...Middleware} before */
function routes(...before) {
  const app = express();
  for (const middleware of before) app.use(middleware);
  return app.use('/clustershazbot', shazbotRouter());
}

/** Compresses every response to a client that accepts it, as the package `compression` does. @type {Middleware} */
function compress(req, res, next) {
  if (/gzip/.test(req.headers['accept-encoding'] ?? '')) compressAlways(req, res, next);
  else next();
}

/** @type {Middleware} */
function compressAlways(_req, res, next) {
  const { end } = res;
  res.end = (/** @type {any} */ body) => {
    res.removeHeader('Content-Length');
    res.setHeader('Content-Encoding', 'gzip');
    const gzip = createGzip();
    res.end = end;
    gzip.pipe(res);
    gzip.end(body);
    return res;
  };
  next();
}

/** Closes the connection after each answer. @type {Middleware} */
function close(_req, res, next) {
  res.set('Connection', 'close');
  next();
}

/**
 * @param {http.Server} server
 * @param {Partial<http.Server>} settings
 */
const configured = (server, settings) => Object.assign(server, settings);

/** A front that passes on bytes. @param {net.Server} front @param {net.NetConnectOpts} target */
function forwarding(front, target) {
  const event = front instanceof tls.Server ? 'secureConnection' : 'connection';
  return front.on(event, (/** @type {net.Socket} */ client) => {
    const upstream = net.connect(target);
    client.pipe(upstream).pipe(client);
    for (const it of [client, upstream])
      it.on('error', () => {}).on('close', () => (it === client ? upstream : client).destroy());
  });
}

/** A reverse proxy that passes on requests below /app. @param {(url: string) => string} rewrite @param {number} target */
function proxy(rewrite, target) {
  return http.createServer((req, res) => {
    if (!req.url?.startsWith('/app/')) return res.writeHead(404).end();
    const { method, headers } = req;
    const upstream = http.request({ host: HOST, port: target, path: rewrite(req.url), method, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    upstream.on('error', () => res.destroy());
    req.pipe(upstream);
  });
}

/** The program's server at a port of its own, behind a front. @param {http.RequestListener} app @param {(target: number) => net.Server} front */
function behind(app, front) {
  const server = http.createServer(app).listen(0, HOST, () => {
    const { port: target } = /** @type {net.AddressInfo} */ (server.address());
    front(target).listen(port, HOST, start);
  });
  return server;
}

/** Creates the server, which listens. @type {Record<string, () => net.Server>} */
const SERVERS = {
  'HTTP/1.1': () => http.createServer(routes()).listen(port, HOST, start),
  'HTTP/2 in clear': () => http2.createServer({}, shazbotRouter()).listen(port, HOST, start),
  'HTTP/2 over TLS': () => http2.createSecureServer(pair(), shazbotRouter()).listen(port, HOST, start),
  allowHTTP1: () =>
    http2.createSecureServer({ ...pair(), allowHTTP1: true }, shazbotRouter()).listen(port, HOST, start),
  'client certificates': () => {
    const demand = { requestCert: true, rejectUnauthorized: true, ca: read('ca.pem') };
    return https.createServer({ ...pair(), ...demand }, routes()).listen(port, HOST, start);
  },
  'maxRequestsPerSocket = 1': () =>
    configured(http.createServer(routes()), { maxRequestsPerSocket: 1 }).listen(port, HOST, start),
  'keepAliveTimeout = 0': () =>
    configured(http.createServer(routes()), { keepAliveTimeout: 0 }).listen(port, HOST, start),
  'keepAliveTimeout = 1': () =>
    configured(http.createServer(routes()), { keepAliveTimeout: 1 }).listen(port, HOST, start),
  'Connection: close': () => http.createServer(routes(close)).listen(port, HOST, start),
  'maxHeaderSize = 512': () => http.createServer({ maxHeaderSize: 512 }, routes()).listen(port, HOST, start),
  'maxHeaderSize = 128': () => http.createServer({ maxHeaderSize: 128 }, routes()).listen(port, HOST, start),
  'a unix socket': () => {
    forwarding(net.createServer({ allowHalfOpen: true }), { path: socket }).listen(port, HOST, start);
    process.on('exit', () => rmSync(socket, { force: true }));
    return http.createServer(routes()).listen(socket);
  },
  'a TLS terminator': () =>
    behind(routes(), (target) => forwarding(tls.createServer(pair()), { host: HOST, port: target })),
  'compression that the client accepts': () => http.createServer(routes(compress)).listen(port, HOST, start),
  'compression of everything': () => http.createServer(routes(compressAlways)).listen(port, HOST, start),
  'a proxy that removes a prefix': () => behind(routes(), (target) => proxy((url) => url.slice('/app'.length), target)),
  'a proxy that keeps a prefix': () => {
    const app = express().use('/app', routes());
    return behind(app, (target) => proxy((url) => url, target));
  },
  'a proxy that keeps a prefix, which the program does not expect': () =>
    behind(routes(), (target) => proxy((url) => url, target)),
};

const server = /** @type {() => http.Server} */ (SERVERS[TEST_SERVER])();

let last = '';
function print() {
  const { members, exchanges } = shazbotStatus();
  const of = (/** @type {string} */ state) =>
    members
      .filter((it) => it.state === state)
      .map(({ baseUrl }) => baseUrl)
      .sort();
  const errors = members.flatMap(({ lastError }) => (lastError ? [lastError.code] : []));
  const reasons = members.flatMap(({ reason }) => (reason ? [reason] : []));
  const lists = { online: of('online'), suspect: of('suspect'), offline: of('offline') };
  const state = JSON.stringify({ ...lists, errors, reasons, watches: exchanges.watches.open });
  if (state !== last) console.log(`state ${state}`);
  last = state;
}

/** What the program does to end. @type {Record<string, () => unknown>} */
const ENDS = {
  'leaves, then closes': async () => {
    await shazbotShutDown();
    server.close();
  },
  'leaves, and closes meanwhile': () => {
    shazbotShutDown();
    server.close();
  },
  'closes, and leaves when it has closed': () => server.close(() => shazbotShutDown()),
  'closes, and leaves at once': () => {
    server.close();
    return shazbotShutDown();
  },
  'only closes': () => server.close(),
  'closes all connections, then leaves': () => {
    server.close();
    server.closeAllConnections();
    return shazbotShutDown();
  },
  'leaves, then closes all connections': async () => {
    await shazbotShutDown();
    server.close();
    server.closeAllConnections();
  },
};
process.on('SIGTERM', () => {
  clearInterval(printing);
  ENDS[TEST_END]?.();
});
