'use strict';

// A dispatcher for undici 6 and newer, and for Node's `fetch`, that sends each request to a server of the cluster.

const { URL } = require('node:url');
const { Agent, Dispatcher } = require('undici');
const { engine } = require('./engine.js');
const { shazbotError } = require('./errors.js');
const { checkOptions, kinds } = require('./options.js');
const { PICK_OPTIONS, baseUrls, beginRequest, choose } = require('./pick.js');
const { IDEMPOTENT, isOwnFault, isReplayable, nothingWasSent, urlAt } = require('./retries.js');

/** @typedef {import('undici').Dispatcher.DispatchOptions} DispatchOptions */
/** @typedef {import('undici').Dispatcher.DispatchHandler} DispatchHandler */

const OPTIONS = { ...PICK_OPTIONS, attempts: kinds.attempts, dispatcher: kinds.dispatcher };

const DEFAULT_ATTEMPTS = 3;

class ShazbotDispatcher extends Dispatcher {
  #agent;
  #options;
  #attempts;
  #excluded;

  /** @param {import('./undici.d.ts').ShazbotDispatcherOptions} [options] */
  constructor(options = {}) {
    super();
    checkOptions('ShazbotDispatcher', options, OPTIONS);
    const { dispatcher = new Agent(), attempts = DEFAULT_ATTEMPTS, except, ...pickOptions } = options;
    this.#agent = dispatcher;
    this.#options = pickOptions;
    this.#attempts = attempts;
    this.#excluded = baseUrls('ShazbotDispatcher', except);
  }

  /**
   * @override
   * @param {DispatchOptions} request
   * @param {DispatchHandler} handler
   */
  dispatch(request, handler) {
    const [agent, options, tried] = [this.#agent, this.#options, new Set(this.#excluded)];
    return next({ agent, options, request, handler, tried }, this.#attempts);
  }

  /** @override */
  close(/** @type {any[]} */ ...args) {
    return /** @type {any} */ (this.#agent).close(...args);
  }

  /** @override */
  destroy(/** @type {any[]} */ ...args) {
    return /** @type {any} */ (this.#agent).destroy(...args);
  }
}

/**
 * @typedef {object} Call
 * @property {Dispatcher} agent
 * @property {import('../index.js').PickOptions} options
 * @property {DispatchOptions} request
 * @property {DispatchHandler} handler
 * @property {Set<string>} tried
 */

/**
 * @param {Call} call
 * @param {number} left
 * @returns {boolean} whether the next request may be sent at once
 */
function next(call, left) {
  const { agent, options, request, tried } = call;
  const server = choose(options, tried);
  if (!server) {
    const message = 'No server that matches is online and ready';
    throw shazbotError({ code: 'SHAZBOT_NO_SERVER', status: 503, message });
  }
  tried.add(server.baseUrl);
  const { origin, pathname } = new URL(server.baseUrl);
  const path = urlAt(server.baseUrl, request.path).slice(origin.length);
  const end = beginRequest(server.baseUrl);
  const handler = attempt(call, server.baseUrl, left - 1, end);
  try {
    return agent.dispatch({ ...request, origin, path: pathname === '/' ? request.path : path }, handler);
  } catch (error) {
    end();
    throw error;
  }
}

/**
 * The handler of the program, for the request to one server. undici has two interfaces for handlers, and tells them apart by their
 * methods: `onConnect` to `onError`, and since version 7 `onRequestStart` to `onResponseError`.
 * @param {Call} call
 * @param {string} baseUrl
 * @param {number} left
 * @param {() => void} end must be called when the request has ended
 * @returns {DispatchHandler}
 */
function attempt(call, baseUrl, left, end) {
  /** @type {any} */
  const handler = call.handler;
  let hasResponse = false;
  let isAborted = false;
  const onResponse = (/** @type {number} */ status) => {
    hasResponse = true;
    // Not early hints.
    if (status >= 200) end();
  };
  /** @param {any} error */
  const isRepeated = (error) => {
    end();
    if (isAborted || hasResponse || isOwnFault(error)) return false;
    engine.hint(baseUrl);
    return repeat(call, left, error);
  };
  /** @typedef {Record<string, (...args: any[]) => unknown>} Methods */
  /** @type {Methods} */
  const before7 = {
    onConnect(abort, ...rest) {
      const giveUp = (/** @type {unknown} */ reason) => {
        isAborted = true;
        abort(reason);
      };
      return handler.onConnect(giveUp, ...rest);
    },
    onUpgrade(...args) {
      end();
      return handler.onUpgrade(...args);
    },
    onHeaders(status, ...rest) {
      onResponse(status);
      return handler.onHeaders(status, ...rest);
    },
    onError: (error) => isRepeated(error) || handler.onError(error),
  };
  /** @type {Methods} */
  const since7 = {
    onRequestUpgrade(...args) {
      end();
      return handler.onRequestUpgrade?.(...args);
    },
    onResponseStart(controller, status, ...rest) {
      onResponse(status);
      return handler.onResponseStart?.(controller, status, ...rest);
    },
    onResponseError(controller, error) {
      isAborted ||= Boolean(controller?.aborted);
      return isRepeated(error) || handler.onResponseError?.(controller, error);
    },
  };
  const methods = handler.onRequestStart ? since7 : before7;
  const get = (/** @type {any} */ _, /** @type {string} */ name) => {
    const value = handler[name];
    if (typeof value !== 'function') return value;
    return Object.hasOwn(methods, name) ? methods[name] : value.bind(handler);
  };
  return new Proxy(/** @type {DispatchHandler} */ ({}), { get });
}

/**
 * @param {Call} call
 * @param {number} left
 * @param {unknown} error
 * @returns {boolean} whether the request is sent to another server
 */
function repeat(call, left, error) {
  const { method, body } = call.request;
  const mayRepeat = isReplayable(body) && (IDEMPOTENT.has(method) || nothingWasSent(error));
  if (!mayRepeat || left === 0) return false;
  try {
    next(call, left);
    return true;
  } catch {
    // There is no other server: the error of this one says more.
    return false;
  }
}

module.exports.ShazbotDispatcher = ShazbotDispatcher;
