/// <reference types="node" />
import type { ShazbotRouterOptions } from './express.js';

/**
 * Creates a function that answers the gossip, list, control and status requests of the cluster, and the page, for servers that
 * work with `Request` and `Response`:
 *
 * ```js
 * const shazbot = shazbotHandler();
 * app.all('/clustershazbot/*', (context) => shazbot(context.req.raw)); // Hono
 * export { shazbot as GET, shazbot as POST }; // Next.js, in app/clustershazbot/[[...path]]/route.js
 * Bun.serve({ routes: { '/clustershazbot/*': shazbot } });
 * ```
 *
 * The path must end in `/clustershazbot` and one of the routes: other servers ask there. It reads the body itself, up to 8 MiB
 * with the gossip secret and 256 KiB if it is signed, so nothing may have read it before. Errors are answered with their HTTP
 * status and `{ "error": "<message>", "code": "<code>" }`; other paths get 404.
 */
export declare function shazbotHandler(options?: ShazbotRouterOptions): (request: Request) => Promise<Response>;
