'use strict';

// A member of a cluster within the test process, which calls the others.

const http = require('node:http');

const { environment } = require('../../harness/cluster.js');
const { freshEngine, withEnvironment } = require('../../harness/engine.js');
const { close, listen } = require('../../harness/http.js');
const { freePorts } = require('../../harness/ports.js');

/**
 * @param {import('../../harness/cluster.js').Scope} scope
 * @param {Record<string, string>} env
 */
async function startMember(scope, env) {
  const [port] = await freePorts(1);
  const baseUrl = `http://127.0.0.1:${port}/`;
  const engine = freshEngine();
  const { shazbotRouter } = require('../../lib/express.js');
  const { shazbotFetch } = require('../../lib/fetch.js');
  const server = http.createServer(shazbotRouter());
  await listen(server, Number(port));
  scope.after(async () => {
    await engine.shazbotShutDown();
    await close(server);
  });
  await withEnvironment({ ...environment(baseUrl), ...env }, () => engine.shazbotStart());
  return { ...engine, baseUrl, shazbotFetch };
}

module.exports = { startMember };
