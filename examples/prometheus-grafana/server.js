// A server of the cluster with metrics for Prometheus. PORT and the SHAZBOT_* variables come from the environment.

import { shazbotShutDown, shazbotStart } from 'clustershazbot';
import { shazbotRouter } from 'clustershazbot/express';
import { shazbotMetrics } from 'clustershazbot/prometheus';
import express from 'express';
import { register } from 'prom-client';

shazbotMetrics();

const app = express();
app.use('/clustershazbot', shazbotRouter());
app.get('/metrics', async (_req, res) => {
  res.type(register.contentType).send(await register.metrics());
});

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
