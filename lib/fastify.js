'use strict';

const { version } = require('../package.json');
const { MOUNT, PATHS, answer } = require('./routes.js');

/** @type {typeof import('./fastify.d.ts').shazbotFastify} */
const shazbotFastify = async (fastify, options) => {
  // Not that of the plugin around this one.
  if (options.prefix === undefined) {
    fastify.register(shazbotFastify, { ...options, prefix: MOUNT });
    return;
  }
  // Inside this plugin alone: bodies are read where all integrations read them.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  for (const route of PATHS) {
    fastify.all(route, async (request, reply) => {
      const answering = answer({ path: route, incoming: request.raw, body: undefined }, options);
      if (!answering) return reply.callNotFound();
      const { status, headers, body } = await answering;
      return reply.code(status).headers(headers).send(body);
    });
  }
};

// What fastify-plugin would write, without it: a name, and which Fastify this is for.
Object.assign(shazbotFastify, {
  [Symbol.for('fastify.display-name')]: 'clustershazbot',
  [Symbol.for('plugin-meta')]: { name: 'clustershazbot', fastify: '5.x', version },
});

// The plugin itself, as is the custom: `register(import('clustershazbot/fastify'))` and `register(require(…))` work too.
module.exports = shazbotFastify;
Object.defineProperty(module.exports, '__esModule', { value: true });
module.exports.shazbotFastify = shazbotFastify;
module.exports.default = shazbotFastify;
