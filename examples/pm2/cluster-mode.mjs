// A server of the cluster in PM2's cluster mode: all processes share the port of the users, and each has one of its own for the
// routes of clustershazbot.
import { createServer } from 'node:http';
import { shazbotServers, shazbotShutDown, shazbotStart } from 'clustershazbot';
import { shazbotRouter } from 'clustershazbot/express';
import express from 'express';

const app = express();
app.get('/peers', (_req, res) => {
  const others = shazbotServers(({ self }) => !self);
  res.json(others.map(({ baseUrl }) => baseUrl));
});
const server = app.listen(Number(process.env.PORT ?? 3000));

const ownPort = Number(process.env.OWN_PORT ?? 4000) + Number(process.env.NODE_APP_INSTANCE ?? 0);
// `exclusive`: without it Node would share this port, too.
const listen = () => ownServer.listen({ port: ownPort, exclusive: true });
const ownServer = createServer(shazbotRouter());
ownServer.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
  // On `pm2 reload` the old process, which has the same number, runs until the new one listens on the shared port.
  if (error.code !== 'EADDRINUSE') throw error;
  setTimeout(listen, 100);
});
ownServer.on('listening', () => {
  shazbotStart({ port: ownPort }).catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
});
listen();

async function stop() {
  await shazbotShutDown({ drainFor: 1500 });
  ownServer.close();
  // PM2's channel to this process would keep it running until it is killed.
  server.close(() => process.exit());
  // A client that never ends its request would keep the process running.
  setTimeout(() => process.exit(), 10_000).unref();
}
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
