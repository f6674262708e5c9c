'use strict';

// A server of the demo, without a framework. PORT and the SHAZBOT_* variables come from the environment.

const { createServer } = require('node:http');
const { shazbotShutDown, shazbotStart } = require('../../../index.js');
const { shazbotRouter } = require('../../express.js');

const server = createServer(shazbotRouter());

async function stop() {
  await shazbotShutDown();
  server.close();
}
process.once('SIGINT', stop);
process.once('SIGTERM', stop);

server.listen(Number(process.env.PORT), '127.0.0.1', () => {
  shazbotStart().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
});
