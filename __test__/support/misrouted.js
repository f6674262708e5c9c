'use strict';

// A server that is not found at its base URL, for the reason that TEST_FAULT names: a test starts it as a process.

const { readFileSync } = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const https = require('node:https');
const path = require('node:path');
const { gzipSync } = require('node:zlib');
const express = require('express');
const { shazbotGossipRequest, shazbotStart } = require('../..');
const { shazbotRouter } = require('../../lib/express.js');

const { TEST_FAULT = '', TEST_PORT, TEST_PAIR, SHAZBOT_BASE_URL } = process.env;
const app = express();
const router = ['/clustershazbot', shazbotRouter()];

/** @typedef {(req: any, res: any, next: () => void) => void} Middleware */
/** What the program mounts, in turn. @type {Record<string, (string | Middleware | unknown[])[]>} */
const mounts = {
  'a router below /api': [['/api/clustershazbot', shazbotRouter()]],
  'a router below /shazbot': [['/shazbot', shazbotRouter()]],
  'no routes': [],
  'an authentication middleware': [(_, res) => res.status(401).json({ error: 'Unauthorized' }), router],
  'a CSRF check': [(_, res) => res.status(403).send('invalid csrf token'), router],
  'a rate limit': [(_, res) => res.status(429).send('Too many requests'), router],
  'a page for all paths': [(_, res) => res.send('<!doctype html><title>App</title>'), router],
  'a redirect': [(req, res) => res.redirect(308, `https://elsewhere.test${req.url}`), router],
  'a middleware that compresses': [
    (_, res) => res.set('Content-Encoding', 'gzip').send(gzipSync('{"message":"gossip","online":[]}')),
  ],
  'a middleware that never answers': [() => {}, router],
  'a proxy whose program is down': [(_, res) => res.status(502).send('Bad gateway')],
  'a guard that knows the own server': [express.json(), refuseItself, router],
  'a guard for some seconds': [refuseAtFirst, router],
  'hand-written routes': [express.json(), ['/clustershazbot/gossip', gossip]],
};

const openedAt = Date.now() + 6_000;

/** @type {Middleware} */
function refuseItself(req, res, next) {
  if (req.body?.online?.[0]?.baseUrl === SHAZBOT_BASE_URL) res.status(403).send('no');
  else next();
}

/** @type {Middleware} */
function refuseAtFirst(_req, res, next) {
  if (Date.now() < openedAt) res.status(403).send('no');
  else next();
}

/** @type {Middleware} */
async function gossip(req, res) {
  res.json(await shazbotGossipRequest(req.headers.authorization, req.body));
}

const pair = TEST_PAIR ? { key: read('key.pem'), cert: read('cert.pem') } : {};

/** @param {string} name */
function read(name) {
  return readFileSync(path.join(String(TEST_PAIR), name));
}

function createServer() {
  if (TEST_FAULT === 'HTTP/2 in clear') return http2.createServer();
  if (TEST_FAULT === 'HTTP/2 over TLS') return http2.createSecureServer(pair);
  return TEST_PAIR ? https.createServer(pair, app) : http.createServer(app);
}

for (const mount of mounts[TEST_FAULT] ?? [router]) app.use(.../** @type {any[]} */ ([mount].flat()));
shazbotStart();
const listen = () => createServer().listen(Number(TEST_PORT), '127.0.0.1');
if (TEST_FAULT === 'a late listen') setTimeout(listen, 3_000);
else if (TEST_FAULT === 'no listen') setInterval(() => {}, 1_000);
else listen();
