import type { FastifyInstance } from 'fastify';
import type { ShazbotStartOptions } from '../index.js';
import type { ShazbotRouterOptions } from './express.js';

/**
 * A plugin for Fastify 5 that answers the gossip, list, control and status requests of the cluster, and the page:
 *
 * ```js
 * app.register(shazbotFastify, { prefix: '/clustershazbot' }); // the prefix must end in /clustershazbot: other servers ask there
 * ```
 *
 * It leaves the cluster when the application closes. From then on Fastify answers 503 to new requests, so that `shazbotFetch` repeats
 * a GET at another server, but not a POST. To lose no POST either, call `shazbotShutDown({ drainFor: 1500 })` before `app.close()`.
 *
 * The prefix defaults to `/clustershazbot`. The plugin reads JSON bodies itself, up to 8 MiB with the gossip secret, and
 * signed ones up to 256 KiB; the application's own body parsers and `bodyLimit` stay as they are. Errors are answered with their HTTP status and
 * `{ "error": "<message>", "code": "<code>" }`.
 */
declare function shazbotFastify(
  fastify: FastifyInstance,
  options: shazbotFastify.ShazbotFastifyOptions & { prefix?: string },
): Promise<void>;
declare namespace shazbotFastify {
  /**
   * With `enabled: true` or any option of `shazbotStart` the plugin calls it before the application listens. Without them the
   * program calls it.
   */
  export interface ShazbotFastifyOptions extends ShazbotRouterOptions, ShazbotStartOptions {
    /** False, for tests: nothing starts, as with `SHAZBOT_ENABLED=false`. */
    enabled?: boolean | undefined;
    /**
     * Milliseconds for which this server is drained before it leaves the cluster and stops listening when the application closes, so
     * that requests under way can end. Default: 1500 if other servers are online, else 0.
     */
    drainFor?: number | undefined;
  }
  export { shazbotFastify, shazbotFastify as default };
}
export = shazbotFastify;
