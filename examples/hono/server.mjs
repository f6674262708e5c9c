// A server of the cluster with Hono on Node.
import { serve } from '@hono/node-server';
import { shazbotServers, shazbotShutDown, shazbotStart } from 'clustershazbot';
import { shazbotHandler } from 'clustershazbot/fetch-handler';
import { Hono } from 'hono';

const app = new Hono();
const shazbot = shazbotHandler();
app.all('/clustershazbot/*', (context) => shazbot(context.req.raw));
app.get('/', (context) => context.json(shazbotServers().map(({ baseUrl }) => baseUrl)));

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, () => {
  shazbotStart().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    await shazbotShutDown();
    server.close();
  });
}
