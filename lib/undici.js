'use strict';

// A dispatcher for undici 7 and newer, and for Node's `fetch`, that sends each request to a server of the cluster.

const { URL } = require('node:url');
const { Agent, DecoratorHandler, Dispatcher } = require('undici');
const { engine } = require('./engine.js');
const { shazbotError } = require('./errors.js');
const { beginRequest, pick } = require('./pick.js');
const { IDEMPOTENT, isReplayable, nothingWasSent, urlAt } = require('./retries.js');

/** @typedef {import('undici').Dispatcher.DispatchOptions} DispatchOptions */
/** @typedef {import('undici').Dispatcher.DispatchHandler} DispatchHandler */

const DEFAULT_ATTEMPTS = 3;

class ShazbotDispatcher extends Dispatcher {
  #agent;
  #options;

  /** @param {import('./undici.d.ts').ShazbotDispatcherOptions} [options] */
  constructor({ dispatcher = new Agent(), ...options } = {}) {
    super();
    this.#agent = dispatcher;
    this.#options = options;
  }

  /**
   * @override
   * @param {DispatchOptions} request
   * @param {DispatchHandler} handler
   */
  dispatch(request, handler) {
    const { attempts = DEFAULT_ATTEMPTS, ...options } = this.#options;
    return next({ agent: this.#agent, options, request, handler, tried: new Set(options.except) }, attempts);
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
  const server = pick({ ...options, except: tried });
  if (!server) {
    const message = 'No server that matches is online and ready';
    throw shazbotError({ code: 'SHAZBOT_NO_SERVER', status: 503, message });
  }
  tried.add(server.baseUrl);
  const { origin, pathname } = new URL(server.baseUrl);
  const path = urlAt(server.baseUrl, request.path).slice(origin.length);
  const handler = new Attempt(call, server.baseUrl, left - 1);
  return agent.dispatch({ ...request, origin, path: pathname === '/' ? request.path : path }, handler);
}

class Attempt extends DecoratorHandler {
  #call;
  #baseUrl;
  #left;
  #end;
  #hasResponse = false;

  /**
   * @param {Call} call
   * @param {string} baseUrl
   * @param {number} left
   */
  constructor(call, baseUrl, left) {
    super(call.handler);
    this.#call = call;
    this.#baseUrl = baseUrl;
    this.#left = left;
    this.#end = beginRequest(baseUrl);
  }

  /** @override */
  onRequestUpgrade(/** @type {any[]} */ ...args) {
    this.#end();
    return /** @type {any} */ (super.onRequestUpgrade)?.(...args);
  }

  /**
   * @override
   * @param {any} controller
   * @param {number} status
   * @param {any[]} rest
   */
  onResponseStart(controller, status, ...rest) {
    this.#hasResponse = true;
    // Early hints: a DecoratorHandler accepts one response only, and this must be the final one.
    if (status < 200) {
      return /** @type {any} */ (new DecoratorHandler(this.#call.handler)).onResponseStart(controller, status, ...rest);
    }
    this.#end();
    return /** @type {any} */ (super.onResponseStart)?.(controller, status, ...rest);
  }

  /**
   * @override
   * @param {any} controller
   * @param {any} error
   */
  onResponseError(controller, error) {
    this.#end();
    const { method, body } = this.#call.request;
    const isAborted = error?.name === 'AbortError' || controller?.aborted;
    if (!isAborted && !this.#hasResponse) {
      engine.hint(this.#baseUrl);
      const mayRepeat = isReplayable(body) && (IDEMPOTENT.has(method) || nothingWasSent(error));
      if (mayRepeat && this.#left > 0) {
        try {
          next(this.#call, this.#left);
          return undefined;
        } catch {
          // There is no other server: the error of this one says more.
        }
      }
    }
    return /** @type {any} */ (super.onResponseError)?.(controller, error);
  }
}

module.exports.ShazbotDispatcher = ShazbotDispatcher;
