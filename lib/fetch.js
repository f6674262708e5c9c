'use strict';

// `fetch` to a server of the cluster, and to another one if that can be done without the risk of sending a request twice.

// Imported, because tests may fake the global timers.
const { clearTimeout, setTimeout } = require('node:timers');
const { engine } = require('./engine.js');
const { shazbotError } = require('./errors.js');
const { observers } = require('./events.js');
const { checkSharedOptions, kinds } = require('./options.js');
const { PICK_OPTIONS, baseUrls, beginRequest, choose } = require('./pick.js');
const { IDEMPOTENT, isReplayable, nothingWasSent, urlAt } = require('./retries.js');

/** @typedef {import('./fetch.d.ts').ShazbotFetchInit} Init */
/** @typedef {{ response: Response, error?: undefined } | { response?: undefined, error: unknown }} Outcome */

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
  const mayRepeat = isReplayable(init.body) && (isIdempotent || init.redirect !== 'follow');
  const excluded = baseUrls('shazbotFetch', except);
  /** @type {Outcome | undefined} */
  let outcome;
  for (let left = attempts; left > 0; left--) {
    const server = choose({ where, prefer, key }, excluded);
    if (!server) break;
    excluded.add(server.baseUrl);
    outcome?.response?.body?.cancel().catch(() => {});
    outcome = await attempt(server.baseUrl, path, init, isIdempotent ? attemptTimeout : Infinity, isIdempotent);
    if (!mayRepeat || init.signal?.aborted || !isWorthAnother(outcome, isIdempotent)) break;
  }
  if (outcome?.response) return outcome.response;
  throw outcome ? outcome.error : noServer();
}

/**
 * @param {Outcome} outcome
 * @param {boolean} isIdempotent
 */
function isWorthAnother({ response, error }, isIdempotent) {
  if (response) return isIdempotent && response.status === UNAVAILABLE;
  return isIdempotent || nothingWasSent(error);
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
  const giveUp = (/** @type {string} */ why) => controller.abort(new Error(`${baseUrl} ${why}`));
  const timer = timeout < Infinity ? setTimeout(giveUp, timeout, `has not answered for ${timeout} ms`) : undefined;
  let wasOffline = false;
  /** @param {import('../index.js').MemberEvent} [event] */
  const observe = (event) => {
    if (event?.baseUrl !== baseUrl) return;
    if (event.type === 'offline' && event.reason === 'failed') giveUp('has failed');
    // The process that got the request is gone. Node 20 may never say so.
    if (event.type === 'online' && wasOffline) giveUp('has restarted');
    wasOffline ||= event.type === 'offline';
  };
  if (isIdempotent) observers.add(observe);
  const end = beginRequest(baseUrl);
  try {
    return { response: await fetch(url, { ...init, signal }) };
  } catch (error) {
    // The detector probes it: a failed request proves nothing.
    if (!init.signal?.aborted) engine.hint(baseUrl);
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
