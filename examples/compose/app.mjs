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

const server = app.listen(Number(process.env.PORT ?? 3000), (error) => {
  if (error) throw error;
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
