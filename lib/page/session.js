'use strict';

// What the page knows while it is unlocked, and its requests to the server.

// The page is served with and without a final slash, at any path.
const MOUNT = location.origin + location.pathname.replace(/\/*$/, '/');
const REQUEST_TIMEOUT = 10_000;
/** How many exchange rates are kept for the chart. */
const RATES = 60;

/**
 * @typedef {object} Session
 * @property {string} secret the control secret; empty while the page is locked
 * @property {string} etag of the last status
 * @property {Status | undefined} status
 * @property {number} receivedAt when the status came, by the clock of this page
 * @property {number} failingSince when the server stopped to answer, by the clock of this page; 0 while it answers
 * @property {string} failure why it did not answer
 * @property {[sent: number, received: number][]} rates exchanges per second
 */

/** @returns {Session} */
const emptySession = () => ({
  secret: '',
  etag: '',
  status: undefined,
  receivedAt: 0,
  failingSince: 0,
  failure: '',
  rates: [],
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
  if (session.status) addRate(session.status, status);
  session.status = status;
  session.receivedAt = performance.now();
  session.failingSince = 0;
}

/**
 * @param {Status} before
 * @param {Status} after
 */
function addRate(before, after) {
  const seconds = (after.at - before.at) / 1000;
  if (seconds <= 0) return;
  const total = (/** @type {Record<string, number>} */ results) => Object.values(results).reduce((a, b) => a + b, 0);
  const rate = (/** @type {'in' | 'out'} */ side) =>
    Math.max(0, total(after.exchanges[side]) - total(before.exchanges[side])) / seconds;
  session.rates.push([rate('out'), rate('in')]);
  if (session.rates.length > RATES) session.rates.shift();
}

/**
 * How long ago something happened, by the clock of the server.
 * @param {number | undefined} at
 */
function timeSince(at) {
  return at === undefined || !session.status ? 'never' : `${durationSince(at)} ago`;
}

/**
 * For how long something has been so, by the clock of the server.
 * @param {number} at
 */
function durationSince(at) {
  return formatDuration((session.status?.at ?? at) + (performance.now() - session.receivedAt) - at);
}
