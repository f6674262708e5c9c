'use strict';

// The HTTP server of the `master-list` command.

const { createHash, timingSafeEqual } = require('node:crypto');
const { createServer } = require('node:http');
const { discardBody } = require('../../body.js');
const { problemOf } = require('./document.js');

const PATH = '/servers.json';
/** The most that servers read. */
const MAX_BODY = 8 << 20;
/** A request must be complete within this time. */
const REQUEST_TIMEOUT_MS = 30_000;

/** @typedef {import('node:http').IncomingMessage} Incoming */
/** @typedef {{ status: number, headers?: Record<string, string>, body?: Buffer | string }} Answer */
/**
 * @typedef {object} Options
 * @property {InstanceType<typeof import('./document.js').ListDocument>} document
 * @property {string} writeSecret the `Authorization` header of PUT
 * @property {string | undefined} readSecret the one of GET
 * @property {(message: string) => void} onError
 */

/** @param {Options} options */
function listServer(options) {
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (req, res) => {
      answer(req, options)
        .catch((error) => {
          if (!req.destroyed) options.onError(`The list cannot be written: ${error.message}`);
          return /** @type {Answer} */ ({ status: 500, body: 'The list cannot be written; the log says why\n' });
        })
        .then(({ status, headers = {}, body = '' }) => {
          // The client of a refused request may read the answer only once it has sent the body.
          discardBody(req);
          const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
          res.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-cache', ...headers });
          res.end(status === 304 || req.method === 'HEAD' ? undefined : body);
        });
    },
  );
  return server;
}

/**
 * @param {Incoming} req
 * @param {Options} options
 * @returns {Promise<Answer>}
 */
async function answer(req, options) {
  if ((req.url ?? '').split('?')[0] !== PATH) return { status: 404, body: `The list is at ${PATH}\n` };
  if (req.method === 'GET' || req.method === 'HEAD') return read(req, options);
  if (req.method === 'PUT') return write(req, options);
  return { status: 405, headers: { Allow: 'GET, HEAD, PUT' } };
}

/**
 * @param {Incoming} req
 * @param {Options} options
 * @returns {Answer}
 */
function read({ headers }, { document: { content, tag }, readSecret, writeSecret }) {
  if (readSecret !== undefined && !isAuthorized(headers.authorization, [readSecret, writeSecret])) {
    return { status: 401, body: 'Unauthorized: not the value of SHAZBOT_MASTER_LIST_AUTH\n' };
  }
  if (names(headers['if-none-match'], tag)) return { status: 304, headers: { ETag: tag } };
  return { status: 200, headers: { ETag: tag }, body: content };
}

/**
 * @param {Incoming} req
 * @param {Options} options
 * @returns {Promise<Answer>}
 */
async function write(req, { document, writeSecret }) {
  const { headers } = req;
  // Before the body is read: without the secret nobody can make this server read one.
  if (!isAuthorized(headers.authorization, [writeSecret])) {
    return { status: 401, body: 'Unauthorized: not the value of SHAZBOT_MASTER_LIST_UPDATE_AUTH\n' };
  }
  const body = await readBody(req);
  if (!body) return { status: 413, body: `The list may have at most ${MAX_BODY >> 20} MiB\n` };
  const problem = problemOf(body);
  if (problem) return { status: 400, body: `The body is not a list: ${problem}\n` };
  // No `await` from here on: two requests must not both find the condition true.
  const isWanted = headers['if-match'] === undefined || names(headers['if-match'], document.tag);
  if (!isWanted || names(headers['if-none-match'], document.tag)) {
    return { status: 412, headers: { ETag: document.tag }, body: 'Somebody else has written the list since\n' };
  }
  document.replace(body);
  return { status: 204, headers: { ETag: document.tag } };
}

/**
 * @param {Incoming} req
 * @returns {Promise<Buffer | undefined>} undefined if it is too large
 */
async function readBody(req) {
  if (Number(req.headers['content-length'] ?? 0) > MAX_BODY) return undefined;
  /** @type {Buffer[]} */
  const chunks = [];
  let length = 0;
  for await (const chunk of req.iterator({ destroyOnReturn: false })) {
    length += chunk.length;
    if (length > MAX_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * Compares in a time that does not depend on how much of it is right.
 * @param {string | undefined} header
 * @param {string[]} secrets
 */
function isAuthorized(header = '', secrets) {
  const hash = (/** @type {string} */ text) => createHash('sha256').update(text, 'latin1').digest();
  const given = hash(header);
  // All are compared, even if the first is right.
  return secrets.map((secret) => timingSafeEqual(given, hash(secret))).includes(true);
}

/**
 * Whether a header with tags names this one.
 * @param {string | undefined} header
 * @param {string} tag
 */
function names(header, tag) {
  return header?.split(',').some((it) => it.trim() === '*' || it.trim() === tag) ?? false;
}

module.exports = { listServer };
