'use strict';

// The Express program of the README as plain CommonJS. PORT and the SHAZBOT_* variables come from the environment.

const express = require('express');
const { shazbotStart, shazbotShutDown } = require('clustershazbot');
const { shazbotRouter } = require('clustershazbot/express');

const app = express();
app.use('/clustershazbot', shazbotRouter());

// Graceful shutdown: tell the cluster first, then stop listening; the process ends once all requests are answered
async function stop() {
  await shazbotShutDown();
  server.close();
}
process.on('SIGINT', stop);
process.on('SIGTERM', stop);

const port = Number(process.env.PORT ?? 3000);
const server = app.listen(port, (error) => {
  if (error) throw error;
  console.log(`Server running on port ${port}`);
  shazbotStart().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
});
