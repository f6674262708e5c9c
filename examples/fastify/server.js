// A server of the cluster with Fastify 5. PORT and the SHAZBOT_* variables come from the environment.

import { shazbotEvents, shazbotServers, shazbotStart } from 'clustershazbot';
import { shazbotFastify } from 'clustershazbot/fastify';
import Fastify from 'fastify';

const app = Fastify();
// Also leaves the cluster when the application closes, before it stops listening.
app.register(shazbotFastify, { prefix: '/clustershazbot' });

app.get('/peers', () => shazbotServers(({ self }) => !self).map(({ baseUrl }) => baseUrl));

shazbotEvents.on('change', ({ baseUrl, type, reason = '' }) => console.log(`${baseUrl} is ${type} ${reason}`));

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => app.close());

// Without a host Fastify listens on loopback only. An error ends the process with exit code 1.
await app.listen({ host: '0.0.0.0', port: Number(process.env.PORT ?? 3000) });
await shazbotStart();
