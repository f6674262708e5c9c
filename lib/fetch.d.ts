/// <reference types="node" />
import type { PickOptions } from '../index.js';

/** The options of `fetch`, and those that choose the server. */
export interface ShazbotFetchInit extends RequestInit, PickOptions {
  /** How many servers are tried at most; default 3. `Infinity`: all. */
  attempts?: number | undefined;
  /**
   * Milliseconds after which a server that has not begun to answer is given up, and another one tried; default: when the cluster
   * declares it failed. Only for methods that may be repeated.
   */
  attemptTimeout?: number | undefined;
}

/** What an error of {@link shazbotFetch} has if a request was sent, unless the program aborted it. Import the type only. */
export interface ShazbotFetchError extends Error {
  /**
   * `SHAZBOT_TIMEOUT`: no answer within `attemptTimeout`. `SHAZBOT_SERVER_FAILED`, `SHAZBOT_SERVER_RESTARTED`: the server did so
   * before it answered. An error of `fetch` itself has none, but its `cause` may.
   */
  code?: string;
  /** With such a code: the base URL of the server. */
  baseUrl?: string;
  /** The servers that were tried, in order: with the code of the error or of its cause, or `HTTP_503`. */
  attempts: { baseUrl: string; code: string }[];
}

/**
 * Sends a request to a server of the cluster that is online and ready, as {@link shazbotPick} chooses it: `path` is below its base
 * URL and begins with a slash.
 *
 * Another server is tried
 * - where nothing was sent, because the connection was refused or could not be opened;
 * - for GET, HEAD, OPTIONS, PUT, DELETE and TRACE also if the connection broke, the server answered 503, or it failed or
 *   restarted before it answered, as the cluster sees it.
 *
 * POST and PATCH are never sent twice. Their redirects are returned and not followed, unless `redirect` says so; then one server is
 * tried. A body that is a stream is sent once. If every server failed, the promise is rejected with the last error, which is a
 * {@link ShazbotFetchError}, or the last 503 is returned. A request that no server could get, such as a GET with a body, is rejected
 * with a `TypeError` and not sent. Rejects with `SHAZBOT_NO_SERVER` if no server can be picked, and with `SHAZBOT_NOT_STARTED` if the engine is not
 * running.
 *
 * A server that could not be reached is probed at once. The gossip secret is never sent.
 */
export declare function shazbotFetch(path: string, init?: ShazbotFetchInit): Promise<Response>;
