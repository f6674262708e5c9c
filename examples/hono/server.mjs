// A server of the cluster with Hono on Node. PORT and the SHAZBOT_* variables come from the environment.

import { serve } from '@hono/node-server';
import { shazbotEvents, shazbotServers, shazbotShutDown, shazbotStart } from 'clustershazbot';
import { shazbotHandler } from 'clustershazbot/fetch-handler';
import { Hono } from 'hono';

const app = new Hono();
const shazbot = shazbotHandler();
app.all('/clustershazbot/*', (context) => shazbot(context.req.raw));
app.get('/peers', (context) => {
  const others = shazbotServers(({ self }) => !self);
  return context.json(others.map(({ baseUrl }) => baseUrl));
});

shazbotEvents.on('change', ({ baseUrl, type, reason = '' }) => console.log(`${baseUrl} is ${type} ${reason}`));
shazbotEvents.on('suspect', ({ baseUrl, error }) => console.log(`${baseUrl} does not answer: ${error?.code}`));

// If it cannot listen, Node throws the error, which ends the process with exit code 1.
const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, () => {
  shazbotStart().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
});

async function stop() {
  await shazbotShutDown({ drainFor: 1500 });
  server.close();
  // A client that never ends its request would keep the process running.
  setTimeout(() => process.exit(), 10_000).unref();
}
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
