'use strict';

// A server of the cluster with Express 4 or 5. PORT and the SHAZBOT_* variables come from the environment.

const express = require('express');
const { shazbotEvents, shazbotServers, shazbotShutDown, shazbotStart } = require('clustershazbot');
const { shazbotRouter } = require('clustershazbot/express');

const app = express();
app.use('/clustershazbot', shazbotRouter());

app.get('/peers', (_req, res) => {
  const others = shazbotServers(({ self }) => !self);
  res.json(others.map(({ baseUrl }) => baseUrl));
});

shazbotEvents.on('change', ({ baseUrl, type, reason = '' }) => console.log(`${baseUrl} is ${type} ${reason}`));
shazbotEvents.on('suspect', ({ baseUrl, error }) => console.log(`${baseUrl} does not answer: ${error?.code}`));

const port = Number(process.env.PORT ?? 3000);
// Express 5 calls this with an error if it cannot listen. With Express 4, Node throws the error.
const server = app.listen(port, (error) => {
  if (error) throw error;
  console.log(`Listening on port ${port}`);
  // The message names every setting that is wrong. An unreachable peer or master list is not an error: the engine retries.
  shazbotStart().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
});

// First drained, so that no request is lost: the others stop sending requests while this server still answers. Then leave, and stop
// listening. With `once`, a second signal would end the process before it has left.
async function stop() {
  await shazbotShutDown({ drainFor: 1500 });
  server.close();
  // A client that never ends its request would keep the process running.
  setTimeout(() => process.exit(), 10_000).unref();
}
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
process.on('SIGUSR2', stop); // nodemon
