// A server of the cluster with Express 5, in TypeScript. PORT and the SHAZBOT_* variables come from the environment.

import { type MemberListener, shazbotEvents, shazbotServers, shazbotShutDown, shazbotStart } from 'clustershazbot';
import { shazbotRouter } from 'clustershazbot/express';
import express from 'express';

const app = express();
app.use('/clustershazbot', shazbotRouter());

app.get('/peers', (_req, res) => {
  const others = shazbotServers(({ self }) => !self);
  res.json(others.map(({ baseUrl }) => baseUrl));
});

const logChange: MemberListener = ({ baseUrl, type, reason = '' }) => console.log(`${baseUrl} is ${type} ${reason}`);
shazbotEvents.on('change', logChange);
shazbotEvents.on('suspect', ({ baseUrl, error }) => console.log(`${baseUrl} does not answer: ${error?.code}`));

const port = Number(process.env.PORT ?? 3000);
const server = app.listen(port, (error) => {
  if (error) throw error;
  console.log(`Listening on port ${port}`);
  shazbotStart().catch((error: Error) => {
    console.error(error.message);
    process.exit(1);
  });
});

// First drained, so that no request is lost: the others stop sending requests while this server still answers. Then leave, and stop
// listening. With `once`, a second signal would end the process before it has left.
async function stop(): Promise<void> {
  await shazbotShutDown({ drainFor: 1500 });
  server.close();
  // A client that never ends its request would keep the process running.
  setTimeout(() => process.exit(), 10_000).unref();
}
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
