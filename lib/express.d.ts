/// <reference types="node" />
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface ShazbotRouterOptions {
  /** Whether the page is served, at the mount itself; default true. It asks for the control secret. */
  page?: boolean | undefined;
}

/**
 * The routes of this package as a handler for Express, Connect, or Node's own server:
 * `app.use('/clustershazbot', shazbotRouter())`. It takes a body that a parser before it has parsed, and reads any other
 * itself: JSON, up to 256 kB, or 8 MiB with the gossip secret. Errors are answered with their status, as `{ "error": "<message>" }`.
 *
 * The mount ends in `/clustershazbot`: others ask there, below the base URL. Where it is not mounted (`createServer(shazbotRouter())`) it answers below `/clustershazbot/`. What it does not answer goes
 * to `next`, or is answered 404 where there is none.
 */
export declare function shazbotRouter(
  options?: ShazbotRouterOptions,
): (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void) => void;
