'use strict';

// The routes as a plugin for Fastify 5.

const { version } = require('../package.json');
const { START_OPTIONS } = require('./config.js');
const { setDisabled } = require('./disabled.js');
const { checkSharedOptions, kinds } = require('./options.js');
const { MOUNT, endsWithPath } = require('./paths.js');
const { PATHS, ROUTER_OPTIONS, handleRequest } = require('./routes.js');
const { closeApp, openApp, startWithApp } = require('./start-with-app.js');

const OPTIONS = { ...ROUTER_OPTIONS, ...START_OPTIONS, enabled: kinds.flag, drainFor: kinds.delay };

/** @type {typeof import('./fastify.d.ts').shazbotFastify} */
const shazbotFastify = async (fastify, options) => {
  // Fastify, and plugins that load other plugins, add options of their own.
  checkSharedOptions('shazbotFastify', options, OPTIONS);
  // A plugin without a prefix of its own would get the prefix of the plugin that registers it, without the mount.
  if (options.prefix === undefined) {
    fastify.register(shazbotFastify, { ...options, prefix: MOUNT });
    return;
  }
  // Inside this plugin only: `handleRequest` reads bodies itself, with the same limits as in other frameworks.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  if (options.enabled === false) setDisabled('application', true);
  else join(fastify, options);
  const mount = fastify.prefix.slice(fastify.prefix.lastIndexOf('/'));
  for (const path of PATHS) {
    fastify.all(path, async (request, reply) => {
      const isExact = endsWithPath(request.raw.url ?? '', mount + path);
      // The payload: a hook of the program may have replaced the request by another stream.
      const body = request.body === request.raw ? undefined : request.body;
      const response = isExact && handleRequest({ path, incoming: request.raw, body }, options);
      if (!response) return reply.callNotFound();
      const answer = await response;
      return reply.code(answer.status).headers(answer.headers).send(answer.body);
    });
  }
};

/**
 * @param {import('fastify').FastifyInstance} fastify
 * @param {import('./fastify.d.ts').ShazbotFastifyOptions} options
 */
function join(fastify, options) {
  openApp(fastify, appLogger(fastify.log));
  // Fastify answers new requests with 503 by now. Those under way end meanwhile: their connections would stay open for 72 s.
  fastify.addHook('preClose', () => closeApp(fastify, options));
  const given = ['enabled', ...Object.keys(START_OPTIONS)].map((name) => options[/** @type {'enabled'} */ (name)]);
  if (given.some((value) => value !== undefined)) fastify.addHook('onReady', () => startWithApp(options));
}

/** @param {import('fastify').FastifyBaseLogger & { isLevelEnabled?: (level: string) => boolean }} log */
function appLogger(log) {
  return {
    info: (/** @type {string} */ message) => log.info(message),
    warn: (/** @type {string} */ message) => log.warn(message),
    // Without a logger Fastify has one whose functions are all the same, and do nothing.
    takesWarnings: () => log.isLevelEnabled?.('warn') ?? log.warn !== log.info,
  };
}

// The metadata that the package fastify-plugin would add: the plugin's name, and the versions of Fastify that it supports.
Object.assign(shazbotFastify, {
  [Symbol.for('fastify.display-name')]: 'clustershazbot',
  [Symbol.for('plugin-meta')]: { name: 'clustershazbot', fastify: '5.x', version },
});

// The module is the plugin, so that `register(import('clustershazbot/fastify'))` and `register(require(…))` work.
module.exports = shazbotFastify;
Object.defineProperty(module.exports, '__esModule', { value: true });
module.exports.shazbotFastify = shazbotFastify;
module.exports.default = shazbotFastify;
