'use strict';

// What the page knows while it is unlocked, and its requests to the server.

// The page is served with and without a final slash, at any path.
const MOUNT = location.origin + location.pathname.replace(/\/*$/, '/');
const REQUEST_TIMEOUT = 10_000;

/**
 * @typedef {object} Session
 * @property {string} secret the control secret; empty while the page is locked
 * @property {string} etag of the last status
 * @property {Status | undefined} status
 * @property {number} receivedAt when the status came, by the clock of this page
 * @property {number} failingSince when the server stopped answering, by the clock of this page; 0 while it answers
 * @property {string} failure why it did not answer
 */

/** @returns {Session} */
const emptySession = () => ({
  secret: '',
  etag: '',
  status: undefined,
  receivedAt: 0,
  failingSince: 0,
  failure: '',
});

let session = emptySession();

/** Forgets everything. @param {string} [secret] */
function startSession(secret = '') {
  session = { ...emptySession(), secret };
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 */
function request(path, { headers, ...options } = {}) {
  return fetch(MOUNT + path, {
    cache: 'no-store',
    ...options,
    headers: { Authorization: session.secret, ...headers },
    signal: AbortSignal.timeout(REQUEST_TIMEOUT),
  });
}

/**
 * @param {Response} answer
 * @returns {Promise<string>}
 */
async function errorOf(answer) {
  const { error } = await answer.json().catch(() => ({}));
  return error ?? `status ${answer.status}`;
}

/** @param {Status} status */
function acceptStatus(status) {
  session.status = status;
  session.receivedAt = performance.now();
  session.failingSince = 0;
}

/**
 * How long ago something happened, by the clock of the server.
 * @param {number | undefined} at
 */
function timeSince(at) {
  return at === undefined || !session.status ? 'never' : `${durationSince(at)}\u00A0ago`;
}

/**
 * For how long something has been so, by the clock of the server: at least a second.
 * @param {number} at
 */
function durationSince(at) {
  const duration = (session.status?.at ?? at) + (performance.now() - session.receivedAt) - at;
  return formatDuration(Math.max(duration, 1000));
}
