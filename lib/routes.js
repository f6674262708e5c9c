'use strict';

// Answers the HTTP requests below `/clustershazbot` for every framework: gossip, list, control, status, health and the page.

const { Buffer } = require('node:buffer');
const { createHash } = require('node:crypto');
const { clearTimeout, setTimeout } = require('node:timers');
const { shazbotShutDown } = require('../index.js');
const { discardBody, parseJson, readBody } = require('./body.js');
const { isDisabled } = require('./disabled.js');
const { engine } = require('./engine.js');
const { shazbotError, unwrap } = require('./errors.js');
const { leaveWhenClosed } = require('./http-servers.js');
const { listResponse } = require('./list-response.js');
const { isSigned } = require('./messages.js');
const { kinds } = require('./options.js');
const { answerBody, control, gossip } = require('./requests.js');
const { statusJson } = require('./status.js');

const ROUTER_OPTIONS = { page: kinds.flag };

// Limits of bodies, in bytes.
/** As large as the largest message that the engine accepts. */
const MAX_BODY = 8 << 20;
/** For a caller that signs, and so has not shown yet that it has the secret: a message of protocol 2 has 90 kB at most. */
const MAX_SIGNED_BODY = 256 << 10;
const MAX_CONTROL_BODY = 4 << 10;

/** A response that is larger must be read within this time. Small ones fit into the buffers of the system. */
const LARGE_RESPONSE = 64 << 10;
const READ_TIMEOUT_MS = 30_000;
/** When a client that was told to try again may do so, in seconds. */
const RETRY_AFTER = '1';

/**
 * @typedef {object} Request of any framework
 * @property {string} path below the mount, without query; `/` for the mount itself, with and without its final slash
 * @property {import('./body.js').Incoming & { method?: string, httpVersionMajor: number }} incoming Node's request
 * @property {unknown} body the result of the program's body parser, if it has one
 */
/** @typedef {{ status: number, headers: Record<string, string>, body: string | Buffer }} Response */
/** @typedef {{ method: 'GET' | 'POST', handle: (request: Request, authorization: string) => Response | Promise<Response> }} Route */

/** @type {Record<string, Route>} */
const routes = {
  '/gossip': {
    method: 'POST',
    async handle({ incoming, body }, authorization) {
      const hasSecret = !engine.authorizeGossip(authorization);
      // The body can only prove that the sender has the secret if it is signed.
      if (!hasSecret && !isSigned(authorization)) {
        discardBody(incoming);
        return json(await gossip(authorization, undefined));
      }
      const limit = hasSecret ? MAX_BODY : MAX_SIGNED_BODY;
      const message = await readBody(incoming, body, { limit, hasSecret });
      const answer =
        'bytes' in message
          ? await answerBody(authorization, message, incoming.headers.host)
          : await gossip(authorization, message.parsed, incoming.headers.host);
      leaveWhenClosed(incoming, shazbotShutDown);
      return json(answer);
    },
  },
  '/list': {
    method: 'GET',
    handle(_, authorization) {
      const { body, etag } = listResponse(authorization);
      const { headers, ...ok } = json(body);
      return { ...ok, headers: { ...headers, ETag: etag } };
    },
  },
  '/control': {
    method: 'POST',
    async handle({ incoming, body }, authorization) {
      // Checked before the body is read: without the secret nobody can make this server read one.
      if (engine.authorizeControl(authorization)) {
        discardBody(incoming);
        control(authorization, undefined);
      }
      const message = await readBody(incoming, body, { limit: MAX_CONTROL_BODY, hasSecret: true });
      control(authorization, parse(message));
      return json({ success: true });
    },
  },
  '/status': { method: 'GET', handle: (_, authorization) => status(authorization) },
  // For load balancers and orchestrators: without a secret, and without the names of servers.
  '/health': { method: 'GET', handle: () => health() },
  // Loaded with the first request for it.
  '/': { method: 'GET', handle: () => ({ status: 200, ...require('./page.js').page() }) },
};

/** @param {Awaited<ReturnType<typeof readBody>>} body */
function parse(body) {
  if ('parsed' in body) return body.parsed;
  try {
    return parseJson(body.bytes);
  } finally {
    body.free();
  }
}

/**
 * @param {Request} request
 * @param {{ page?: boolean | undefined }} [options]
 * @returns {Promise<Response> | undefined} undefined if the path is not one of the routes
 */
function handleRequest(request, { page = true } = {}) {
  const { path } = request;
  if (path === '/' && !page) return undefined;
  return Object.hasOwn(routes, path) ? respond(routes[path], request) : undefined;
}

/**
 * @param {Route} route
 * @param {Request} request
 * @returns {Promise<Response>}
 */
async function respond(route, request) {
  const response = await call(route, request).catch(errorResponse);
  if (response.body.length > LARGE_RESPONSE) closeIfUnread(request.incoming);
  // After it has left, a server that closes waits for open connections, and others still ask it now and then. A server that is
  // busy needs the memory of the connection.
  const isKept = engine.isWorking() && !response.headers['Retry-After'];
  if (isKept || request.incoming.httpVersionMajor !== 1) return response;
  return { ...response, headers: { ...response.headers, Connection: 'close' } };
}

/**
 * Ends a connection on which the response is not read: it would hold the response for ever.
 * @param {Request['incoming']} incoming
 */
function closeIfUnread(incoming) {
  const timer = setTimeout(() => incoming.destroy(), READ_TIMEOUT_MS).unref();
  // Node closes the request when its response is sent.
  incoming.once('close', () => clearTimeout(timer));
}

/**
 * @param {Route} route
 * @param {Request} request
 * @returns {Promise<Response>}
 */
async function call({ method, handle }, request) {
  const { method: requested, headers } = request.incoming;
  if (requested !== method && !(requested === 'HEAD' && method === 'GET')) return otherMethod(requested, method);
  const response = await handle(request, headers.authorization ?? '');
  const { ETag } = response.headers;
  if (ETag && headers['if-none-match']?.includes(ETag)) return { ...response, status: 304, body: '' };
  return response;
}

/**
 * @param {string | undefined} requested
 * @param {string} method
 * @returns {Response}
 */
function otherMethod(requested, method) {
  const allow = method === 'GET' ? 'GET, HEAD, OPTIONS' : `${method}, OPTIONS`;
  const message = `Method ${requested} is not allowed here: use ${allow}`;
  const { headers, ...rest } =
    requested === 'OPTIONS'
      ? empty(204)
      : errorResponse(shazbotError({ code: 'SHAZBOT_METHOD', status: 405, message }));
  return { ...rest, headers: { ...headers, Allow: allow } };
}

/**
 * @param {any} error
 * @returns {Response}
 */
function errorResponse(error) {
  if (error?.expose) {
    const response = json({ error: error.message, code: error.code }, error.status);
    if (error.isBusy) response.headers['Retry-After'] = RETRY_AFTER;
    return response;
  }
  // As text, because Node throws if the error is of another realm, as those of Jest are.
  process.emitWarning(String(error?.stack ?? error));
  return json({ error: 'Internal Server Error' }, 500);
}

/**
 * @param {string} authorization
 * @returns {Response}
 */
function status(authorization) {
  unwrap(engine.authorizeControl(authorization));
  const { at, rest } = statusJson();
  const { headers, ...ok } = json(`{"at":${at},${rest.slice(1)}`);
  // A weak tag, because it does not cover the time `at`.
  return { ...ok, headers: { ...headers, ETag: `W/"${createHash('sha256').update(rest).digest('base64url')}"` } };
}

/** @returns {Response} */
function health() {
  const status = isDisabled() ? 'disabled' : engine.health();
  // A program that is to run alone must not fail its readiness probe.
  return json({ status }, status === 'ready' || status === 'disabled' ? 200 : 503);
}

/**
 * @param {unknown} value to serialise, or JSON as a string or in a buffer
 * @param {number} [status]
 * @returns {Response}
 */
function json(value, status = 200) {
  const { headers } = empty(status);
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value),
  };
}

/**
 * @param {number} status
 * @returns {Response}
 */
function empty(status) {
  return { status, headers: { 'Cache-Control': 'no-store' }, body: '' };
}

module.exports = { PATHS: Object.keys(routes), ROUTER_OPTIONS, handleRequest };
