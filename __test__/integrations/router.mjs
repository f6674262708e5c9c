// A server with the package's routes, mounted in every supported way, for __test__/router.test.js, which copies it to a
// directory where the framework is installed.

import { createServer } from 'node:http';
import { PassThrough } from 'node:stream';
import { shazbotShutDown, shazbotStart } from 'clustershazbot';
import { shazbotRouter } from 'clustershazbot/express';

const { KIND, PORT, START = 'yes' } = process.env;

async function onExpress() {
  const { default: express } = await import('express');
  const app = express();
  app.use('/clustershazbot', shazbotRouter());
  app.use('/unmounted', (_req, _res, next) => next(), shazbotRouter());
  const nested = express.Router();
  nested.use(shazbotRouter());
  app.use('/nested', nested);
  const api = express.Router();
  api.use(shazbotRouter());
  api.get('/status', (_req, res) => res.json('own'));
  app.use('/api', api);
  app.use('/parsed/clustershazbot', express.json(), shazbotRouter());
  app.use('/text/clustershazbot', express.text({ type: '*/*' }), shazbotRouter());
  app.use('/raw/clustershazbot', express.raw({ type: '*/*' }), shazbotRouter());
  app.use('/without/clustershazbot', shazbotRouter({ page: false }));
  // Comes after the package's routes, so that it parses bodies only for the application.
  app.use(express.json());
  app.use((req, res) => res.status(404).json({ own: req.body ?? null }));
  return createServer(app);
}

async function onFastify() {
  const { default: Fastify } = await import('fastify');
  const { shazbotFastify } = await import('clustershazbot/fastify');
  const app = Fastify({ routerOptions: { ignoreTrailingSlash: process.env.SLASHES === 'ignored' } });
  app.register(shazbotFastify, { prefix: '/clustershazbot' });
  app.register(import('clustershazbot/fastify'), { prefix: '/without/clustershazbot', page: false });
  app.register(async (inner) => void inner.register(shazbotFastify, { prefix: '/clustershazbot' }), {
    prefix: '/nested',
  });
  app.register(async (inner) => void inner.register(shazbotFastify), { prefix: '/api' });
  app.register(async (inner) => {
    // As plugins do that decompress bodies or check their signatures.
    inner.addHook('preParsing', async (_request, _reply, payload) => payload.pipe(new PassThrough()));
    inner.register(shazbotFastify, { prefix: '/hooked/clustershazbot' });
  });
  app.setNotFoundHandler((request, reply) => reply.code(404).send({ own: request.body ?? null }));
  await app.ready();
  return app.server;
}

const servers = { express: onExpress, fastify: onFastify, http: () => createServer(shazbotRouter()) };
const server = await servers[KIND]();

server.listen(Number(PORT), '127.0.0.1', () => START === 'yes' && shazbotStart());

process.on('SIGTERM', async () => {
  await shazbotShutDown();
  server.close();
});
