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
 * It leaves the cluster when the application closes, while that still answers requests.
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
   * With `config`, `discover` or `enabled: true` the plugin calls `shazbotStart` before the application listens. Without them
   * the program calls it.
   */
  export interface ShazbotFastifyOptions extends ShazbotRouterOptions, ShazbotStartOptions {
    /** False, for tests: nothing starts, and there are no routes. */
    enabled?: boolean | undefined;
  }
  export { shazbotFastify, shazbotFastify as default };
}
export = shazbotFastify;
