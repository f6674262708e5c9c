/// <reference types="node" />
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

export interface ShazbotRouterOptions {
  /**
   * Whether `GET /clustershazbot/` serves the page that shows the cluster; default true. The page itself contains no data: it
   * asks its user for the control secret.
   */
  page?: boolean | undefined;
}

/**
 * Creates a handler that answers the gossip, list, control and status requests of the cluster, and the page. It works with
 * Express 4 and 5, Connect, and Node's HTTP server:
 *
 * ```js
 * app.use('/clustershazbot', shazbotRouter()); // the mount must end in /clustershazbot: other servers ask there
 * createServer(shazbotRouter()); // of node:http, https, or http2 with allowHTTP1; without a mount: answers below /clustershazbot/
 * ```
 *
 * It needs no body parser. Without one it accepts JSON bodies up to 8 MiB with the gossip secret, and signed ones up to 256 KiB;
 * with one, the limit of the parser applies. Errors are answered with their HTTP status and `{ "error": "<message>", "code": "<code>" }`.
 * Requests for other paths go to `next`, or get 404 if there is none.
 */
export declare function shazbotRouter(
  options?: ShazbotRouterOptions,
): (
  req: IncomingMessage | Http2ServerRequest,
  res: ServerResponse | Http2ServerResponse,
  next?: (error?: unknown) => void,
) => void;
