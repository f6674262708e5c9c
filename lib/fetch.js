'use strict';

// `fetch` to a server of the cluster, and to another one if that can be done without the risk of sending a request twice.

// Imported, because tests may fake the global timers.
const { clearTimeout, setTimeout } = require('node:timers');
const { engine } = require('./engine.js');
const { shazbotError } = require('./errors.js');
const { observers } = require('./events.js');
const { checkSharedOptions, kinds } = require('./options.js');
const { PICK_OPTIONS, baseUrls, beginRequest, choose } = require('./pick.js');
const { IDEMPOTENT, codeOf, isOwnFault, isReplayable, nothingWasSent, urlAt } = require('./retries.js');

/** @typedef {import('./fetch.d.ts').ShazbotFetchInit} Init */
/** @typedef {{ response: Response, error?: undefined } | { response?: undefined, error: any }} Outcome */

const OPTIONS = { ...PICK_OPTIONS, attempts: kinds.attempts, attemptTimeout: kinds.timeout };

const DEFAULT_ATTEMPTS = 3;
/** A server that is overloaded or shuts down. */
const UNAVAILABLE = 503;

/** @type {typeof import('./fetch.d.ts').shazbotFetch} */
async function shazbotFetch(path, options = {}) {
  checkSharedOptions('shazbotFetch', options, OPTIONS);
  const { where, prefer, key, except, attempts = DEFAULT_ATTEMPTS, attemptTimeout = Infinity, ...init } = options;
  const isIdempotent = IDEMPOTENT.has((init.method ?? 'GET').toUpperCase());
  // The first server may have acted before it redirected the request.
  if (!isIdempotent) init.redirect ??= 'manual';
  checkRequest(path, init);
  const mayRepeat = isReplayable(init.body) && (isIdempotent || init.redirect !== 'follow');
  const excluded = baseUrls('shazbotFetch', except);
  /** @type {{ baseUrl: string, code: string }[]} */
  const failed = [];
  /** @type {Outcome | undefined} */
  let outcome;
  for (let left = attempts; left > 0; left--) {
    const server = choose({ where, prefer, key }, excluded);
    if (!server) break;
    const { baseUrl } = server;
    excluded.add(baseUrl);
    outcome?.response?.body?.cancel().catch(() => {});
    outcome = await attempt(baseUrl, path, init, isIdempotent ? attemptTimeout : Infinity, isIdempotent);
    failed.push({ baseUrl, code: failureOf(outcome) });
    if (!mayRepeat || init.signal?.aborted || !isWorthAnother(outcome, isIdempotent)) break;
  }
  if (!outcome) throw noServer();
  if (outcome.response) return outcome.response;
  // The reason of the program's own signal is the program's object, and may be anything.
  throw init.signal?.aborted ? outcome.error : Object.assign(outcome.error, { attempts: failed });
}

/**
 * Throws for what no server could be sent, such as a GET with a body: that is not the failure of a server.
 * @param {string} path
 * @param {RequestInit} init
 */
function checkRequest(path, { signal, body, ...init }) {
  // Any body will do: a large one would be copied, and a stream can be read only once.
  new Request(urlAt('http://any.invalid/', path), { ...init, body: (body ?? null) === null ? null : '' });
}

/** @param {Outcome} outcome */
function failureOf({ response, error }) {
  return response ? `HTTP_${response.status}` : (codeOf(error) ?? String(error?.name));
}

/**
 * @param {Outcome} outcome
 * @param {boolean} isIdempotent
 */
function isWorthAnother({ response, error }, isIdempotent) {
  if (response) return isIdempotent && response.status === UNAVAILABLE;
  return !isOwnFault(error) && (isIdempotent || nothingWasSent(error));
}

/**
 * @param {string} baseUrl
 * @param {string} path
 * @param {RequestInit} init
 * @param {number} timeout
 * @param {boolean} isIdempotent
 * @returns {Promise<Outcome>}
 */
async function attempt(baseUrl, path, init, timeout, isIdempotent) {
  const url = urlAt(baseUrl, path);
  const controller = new AbortController();
  const signal = init.signal ? AbortSignal.any([init.signal, controller.signal]) : controller.signal;
  const giveUp = (/** @type {string} */ code, /** @type {string} */ why) =>
    controller.abort(Object.assign(shazbotError({ code, status: 503, message: `${baseUrl} ${why}` }), { baseUrl }));
  const late = () => giveUp('SHAZBOT_TIMEOUT', `has not answered for ${timeout} ms`);
  const timer = timeout < Infinity ? setTimeout(late, timeout) : undefined;
  let wasOffline = false;
  /** @param {import('../index.js').MemberEvent} [event] */
  const observe = (event) => {
    if (event?.baseUrl !== baseUrl) return;
    if (event.type === 'offline' && event.reason === 'failed') giveUp('SHAZBOT_SERVER_FAILED', 'has failed');
    // The process that got the request is gone. Node 20 may never say so.
    if (event.type === 'online' && wasOffline) giveUp('SHAZBOT_SERVER_RESTARTED', 'has restarted');
    wasOffline ||= event.type === 'offline';
  };
  if (isIdempotent) observers.add(observe);
  const end = beginRequest(baseUrl);
  try {
    return { response: await fetch(url, { ...init, signal }) };
  } catch (error) {
    // The detector probes it: a failed request proves nothing.
    if (!init.signal?.aborted && !isOwnFault(error)) engine.hint(baseUrl);
    return { error };
  } finally {
    end();
    clearTimeout(timer);
    observers.delete(observe);
  }
}

function noServer() {
  const message = 'No server that matches is online and ready';
  return shazbotError({ code: 'SHAZBOT_NO_SERVER', status: 503, message });
}

module.exports.shazbotFetch = shazbotFetch;
