'use strict';

// When a request may be sent to another server, for `clustershazbot/fetch` and `clustershazbot/undici`.

const { URL } = require('node:url');

/** Methods that have the same effect if they are done twice (RFC 9110). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** Errors that come before a connection exists, of Node and of Bun. */
const BEFORE_CONNECTION = new Set([
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENOTFOUND', 'EAI_AGAIN'],
  ...['UND_ERR_CONNECT_TIMEOUT', 'ConnectionRefused', 'FailedToOpenSocket'],
]);

/**
 * A connection that is lost later may fail with EHOSTUNREACH, too: then reading or writing has failed.
 * @param {any} error of fetch or of undici
 */
function nothingWasSent(error) {
  const { code, syscall } = error?.cause?.code ? error.cause : (error ?? {});
  return BEFORE_CONNECTION.has(code) && syscall !== 'read' && syscall !== 'write';
}

/** Errors of undici that say nothing about the server. */
const OWN_FAULTS = new Set([
  ...['UND_ERR_ABORTED', 'UND_ERR_CLOSED', 'UND_ERR_DESTROYED', 'UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED'],
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);

/**
 * The code of an error of fetch or of undici, which may be in its cause.
 * @param {any} error
 * @returns {string | undefined}
 */
function codeOf(error) {
  return [error?.cause?.code, error?.code].find((code) => typeof code === 'string');
}

/**
 * Whether the program has caused an error: it ended the request, or no server could get such a request.
 * @param {any} error
 */
function isOwnFault(error) {
  return error?.name === 'AbortError' || OWN_FAULTS.has(codeOf(error) ?? '');
}

/**
 * Whether a body can be sent again: a stream is read only once.
 * @param {unknown} body
 */
function isReplayable(body) {
  if (typeof body !== 'object' || body === null) return true;
  return !(Symbol.asyncIterator in body || 'getReader' in body || 'pipe' in body || 'next' in body);
}

/**
 * @param {string} baseUrl
 * @param {string} path
 */
function urlAt(baseUrl, path) {
  if (typeof path !== 'string' || !path.startsWith('/') || path.startsWith('//')) {
    throw new TypeError('The path must begin with one slash');
  }
  const { href } = new URL(`.${path}`, baseUrl);
  if (!href.startsWith(baseUrl)) throw new TypeError('The path leads out of the base URL');
  return href;
}

module.exports = { IDEMPOTENT, codeOf, isOwnFault, isReplayable, nothingWasSent, urlAt };
