'use strict';

// The routes as a handler for Express, Connect and Node's own HTTP server.

const { MOUNT, handleRequest } = require('./routes.js');

/** @type {typeof import('./express.d.ts').shazbotRouter} */
function shazbotRouter(options) {
  return (req, res, next) => {
    // Properties that Express and Connect add: the URL before the mount was removed from it, and the parsed body.
    const { originalUrl = req.url ?? '', body } = /** @type {{ originalUrl?: string, body?: unknown }} */ (req);
    const path = pathBelowMount(req.url ?? '', originalUrl);
    const response = path === undefined ? undefined : handleRequest({ path, incoming: req, body }, options);
    if (response) response.then((it) => send(res, it)).catch(next ?? (() => res.destroy()));
    else if (next) next();
    else send(res, { status: 404, headers: { 'Content-Type': 'application/json' }, body: '{"error":"Not Found"}' });
  };
}

/**
 * The path below `/clustershazbot`, or undefined if the request is for another path.
 * @param {string} url without the mount, if a framework has removed it
 * @param {string} originalUrl
 */
function pathBelowMount(url, originalUrl) {
  const path = pathOf(url);
  if (path === MOUNT || path.startsWith(`${MOUNT}/`)) return path.slice(MOUNT.length) || '/';
  const original = pathOf(originalUrl);
  // A framework that removes the mount leaves a slash.
  if (path === '/' && original.endsWith(MOUNT)) return path;
  return original.endsWith(MOUNT + path) ? path : undefined;
}

/**
 * The path of a URL without its query and its final slash: Express treats both forms of a path alike.
 * @param {string} url
 */
function pathOf(url) {
  const path = /** @type {string} */ (url.split('?', 1)[0]);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/**
 * @param {import('node:http').ServerResponse} res
 * @param {import('./routes.js').Response} response
 */
function send(res, { status, headers, body }) {
  // The program may have answered in the meantime, for example after a timeout.
  if (res.headersSent) return;
  res.statusCode = status;
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  if (status !== 204 && status !== 304) res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(body);
}

module.exports = { shazbotRouter };
