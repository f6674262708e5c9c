import type { FastifyInstance } from 'fastify';
import type { ShazbotRouterOptions } from './express.js';

/**
 * The routes of this package as a plugin of Fastify 5: `app.register(shazbotFastify, { prefix: '/clustershazbot' })`. Its
 * body parser is its own, and leaves that of the application alone. Errors are answered with their status, as
 * `{ "error": "<message>" }`.
 */
declare function shazbotFastify(
  fastify: FastifyInstance,
  options: shazbotFastify.ShazbotFastifyOptions & { prefix?: string },
): Promise<void>;
declare namespace shazbotFastify {
  export type ShazbotFastifyOptions = ShazbotRouterOptions;
  export { shazbotFastify, shazbotFastify as default };
}
export = shazbotFastify;
