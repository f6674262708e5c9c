'use strict';

const { createHash } = require('node:crypto');
const { shazbotControlRequest, shazbotGossipRequest, shazbotListRequest, shazbotStatus } = require('../index.js');
const { bodyOf } = require('./body.js');
const { engine } = require('./engine.js');
const { settled, shazbotError } = require('./errors.js');

/** A body of lists, bytes: as many as the engine takes in. */
const LISTS = 8 << 20;
/** One of a server of ours, which holds what differs and is 90 kB at most; only these can be signed. */
const OURS = 256 << 10;
const CONTROL = 4 << 10;

/**
 * @typedef {object} Request whatever framework it came through
 * @property {string} path below the mount, without query; `/` for the mount itself, with and without its final slash
 * @property {import('./body.js').Incoming & { method?: string, httpVersionMajor: number }} incoming Node's own
 * @property {unknown} body what a parser has made of it
 */
/** @typedef {{ status: number, headers: Record<string, string>, body: string | Buffer }} Answer */
/** @typedef {(request: Request, header: string) => Answer | Promise<Answer>} Handler */

/** @type {Record<string, { method: 'GET' | 'POST', handle: Handler }>} */
const routes = {
  '/gossip': {
    method: 'POST',
    async handle({ incoming, body }, header) {
      // Whoever has not shown the secret cannot make this server hold much.
      const limit = engine.authorizeGossip(header) ? OURS : LISTS;
      const message = /** @type {any} */ (await bodyOf(incoming, body, limit));
      return json(await shazbotGossipRequest(header, message));
    },
  },
  '/list': {
    method: 'GET',
    async handle(_, header) {
      return json(await shazbotListRequest(header));
    },
  },
  '/control': {
    method: 'POST',
    async handle({ incoming, body }, header) {
      // Before its body is read: whoever has not the secret sends none.
      settled(engine.authorizeControl(header));
      await shazbotControlRequest(header, /** @type {any} */ (await bodyOf(incoming, body, CONTROL)));
      return json({ success: true });
    },
  },
  '/status': { method: 'GET', handle: (_, header) => status(header) },
  '/': { method: 'GET', handle: page },
};

/**
 * Answers a request.
 * @param {Request} request
 * @param {{ page?: boolean | undefined }} [options]
 * @returns {Promise<Answer> | undefined} undefined where it is none of ours
 */
function answer(request, { page = true } = {}) {
  const { path } = request;
  if (path === '/' && !page) return undefined;
  return Object.hasOwn(routes, path) ? answerBy(routes[path], request) : undefined;
}

/**
 * @param {{ method: string, handle: Handler }} route
 * @param {Request} request
 * @returns {Promise<Answer>}
 */
async function answerBy(route, request) {
  const given = await handled(route, request).catch(refused);
  // A server that is closed waits for connections that are kept, and the others ask one that has left now and then.
  if (engine.isWorking() || request.incoming.httpVersionMajor !== 1) return given;
  return { ...given, headers: { ...given.headers, Connection: 'close' } };
}

/**
 * @param {{ method: string, handle: Handler }} route
 * @param {Request} request
 * @returns {Promise<Answer>}
 */
async function handled({ method, handle }, request) {
  const { method: asked, headers } = request.incoming;
  if (asked !== method && !(asked === 'HEAD' && method === 'GET')) return otherMethod(asked, method);
  const given = await handle(request, headers.authorization ?? '');
  const { ETag } = given.headers;
  if (ETag && headers['if-none-match']?.includes(ETag)) return { ...given, status: 304, body: '' };
  return given;
}

/**
 * @param {string | undefined} asked
 * @param {string} method
 * @returns {Answer}
 */
function otherMethod(asked, method) {
  const allow = method === 'GET' ? 'GET, HEAD, OPTIONS' : `${method}, OPTIONS`;
  const message = `${asked} is not answered here; ${allow} are`;
  const { headers, ...rest } =
    asked === 'OPTIONS' ? empty(204) : refused(shazbotError({ code: 'SHAZBOT_METHOD', status: 405, message }));
  return { ...rest, headers: { ...headers, Allow: allow } };
}

/**
 * @param {any} error
 * @returns {Answer}
 */
function refused(error) {
  if (error?.expose) return json({ error: error.message, code: error.code }, error.status);
  process.emitWarning(error);
  return json({ error: 'Internal Server Error' }, 500);
}

/**
 * @param {string} header
 * @returns {Answer}
 */
function status(header) {
  settled(engine.authorizeControl(header));
  const { at, ...rest } = shazbotStatus();
  const text = JSON.stringify(rest);
  const { headers, ...ok } = json(`{"at":${at},${text.slice(1)}`);
  // Weak: the time goes on, and is not in it.
  return { ...ok, headers: { ...headers, ETag: `W/"${createHash('sha256').update(text).digest('base64url')}"` } };
}

/** @returns {Answer} */
function page() {
  return { status: 200, ...require('./page.js').page() };
}

/**
 * @param {unknown} value what becomes JSON, or is
 * @param {number} [status]
 * @returns {Answer}
 */
function json(value, status = 200) {
  const { headers } = empty(status);
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: typeof value === 'string' ? value : JSON.stringify(value),
  };
}

/**
 * @param {number} status
 * @returns {Answer}
 */
function empty(status) {
  return { status, headers: { 'Cache-Control': 'no-store' }, body: '' };
}

/** Where the routes are, where nobody has mounted them: below the base URL that others know. */
const MOUNT = '/clustershazbot';

/** @param {string} url */
function withoutQuery(url) {
  return /** @type {string} */ (url.split('?', 1)[0]);
}

module.exports = { MOUNT, PATHS: Object.keys(routes), answer, withoutQuery };
