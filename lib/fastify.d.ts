import type { FastifyPluginAsync } from 'fastify';
import type { ShazbotRouterOptions } from './express.js';

export type ShazbotFastifyOptions = ShazbotRouterOptions;

/**
 * The routes of this package as a plugin of Fastify 5: `app.register(shazbotFastify, { prefix: '/clustershazbot' })`. Its
 * body parser is its own, and leaves that of the application alone. Errors are answered with their status, as
 * `{ "error": "<message>" }`.
 */
export declare const shazbotFastify: FastifyPluginAsync<ShazbotFastifyOptions>;
export default shazbotFastify;
