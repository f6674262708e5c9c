// A server of the cluster with Fastify 5. PORT and the SHAZBOT_* variables come from the environment.

import { shazbotEvents, shazbotServers, shazbotShutDown, shazbotStart } from 'clustershazbot';
import { shazbotFastify } from 'clustershazbot/fastify';
import Fastify from 'fastify';

const app = Fastify();
// Also leaves the cluster when the application closes, before it stops listening.
app.register(shazbotFastify, { prefix: '/clustershazbot' });

app.get('/peers', () => shazbotServers(({ self }) => !self).map(({ baseUrl }) => baseUrl));

shazbotEvents.on('change', ({ baseUrl, type, reason = '' }) => console.log(`${baseUrl} is ${type} ${reason}`));
shazbotEvents.on('suspect', ({ baseUrl, error }) => console.log(`${baseUrl} does not answer: ${error?.code}`));

async function stop() {
  // Before Fastify closes, since it then answers new requests with 503.
  await shazbotShutDown({ drainFor: 1500 });
  app.close();
  // A client that never ends its request would keep the process running.
  setTimeout(() => process.exit(), 10_000).unref();
}
process.on('SIGINT', stop);
process.on('SIGTERM', stop);

// Without a host Fastify listens on loopback only. An error ends the process with exit code 1.
await app.listen({ host: '0.0.0.0', port: Number(process.env.PORT ?? 3000) });
await shazbotStart();
