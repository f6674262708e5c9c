// A server of the cluster with Express 5. PORT and the SHAZBOT_* variables come from the environment.

import { shazbotEvents, shazbotServers, shazbotShutDown, shazbotStart } from 'clustershazbot';
import { shazbotRouter } from 'clustershazbot/express';
import express from 'express';

const app = express();
app.use('/clustershazbot', shazbotRouter());
app.get('/peers', (_req, res) => {
  const others = shazbotServers(({ self }) => !self);
  res.json(others.map(({ baseUrl }) => baseUrl));
});

shazbotEvents.on('change', ({ type, baseUrl, reason = '' }) => console.log(`${baseUrl} is ${type} ${reason}`));
shazbotEvents.on('suspect', ({ baseUrl, error }) => console.log(`${baseUrl} does not answer: ${error?.code}`));

// PM2 numbers the processes of an app. A restarted process keeps its number, and `pm2 scale` uses free numbers again.
const port = Number(process.env.PORT ?? 3000) + Number(process.env.NODE_APP_INSTANCE ?? 0);

const server = app.listen(port, (error) => {
  if (error) throw error;
  shazbotStart({ port }).catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
});

async function stop() {
  await shazbotShutDown({ drainFor: 1500 });
  // PM2's channel to this process would keep it running for some seconds.
  server.close(() => process.exit());
  // A client that never ends its request would keep the process running.
  setTimeout(() => process.exit(), 10_000).unref();
}
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
