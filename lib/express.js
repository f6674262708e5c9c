'use strict';

const { MOUNT, answer, withoutQuery } = require('./routes.js');

/** @type {typeof import('./express.d.ts').shazbotRouter} */
function shazbotRouter(options) {
  return (req, res, next) => {
    // What Express and others leave: the URL as it came, and a body that is parsed.
    const { originalUrl = req.url ?? '', body } = /** @type {{ originalUrl?: string, body?: unknown }} */ (req);
    const path = below(req.url ?? '', originalUrl);
    const answering = path === undefined ? undefined : answer({ path, incoming: req, body }, options);
    if (answering) answering.then((it) => send(res, it)).catch(next ?? (() => res.destroy()));
    else if (next) next();
    else send(res, { status: 404, headers: { 'Content-Type': 'application/json' }, body: '{"error":"Not Found"}' });
  };
}

/**
 * The path below the mount, which is `/clustershazbot` wherever that is: others ask there, below the base URL.
 * @param {string} url what is left of the URL
 * @param {string} original as it came
 */
function below(url, original) {
  const path = pathOf(url);
  if (path === MOUNT || path.startsWith(`${MOUNT}/`)) return path.slice(MOUNT.length) || '/';
  const whole = pathOf(original);
  // Whoever takes the mount off leaves a slash for it in any case.
  if (path === '/' && whole.endsWith(MOUNT)) return path;
  return whole.endsWith(MOUNT + path) ? path : undefined;
}

/**
 * Without its final slash, as Express takes paths.
 * @param {string} url
 */
function pathOf(url) {
  const path = withoutQuery(url);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/**
 * @param {import('node:http').ServerResponse} res
 * @param {import('./routes.js').Answer} answer
 */
function send(res, { status, headers, body }) {
  // Somebody else may have answered meanwhile, a time-out for one.
  if (res.headersSent) return;
  res.statusCode = status;
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  if (status !== 204 && status !== 304) res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(body);
}

module.exports = { shazbotRouter };
