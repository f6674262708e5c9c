'use strict';

// Engines and made-up servers that reach each other over HTTP, all in this process.

const http = require('node:http');

const { SECRET } = require('../../../harness/cluster.js');
const { startEngine } = require('../../../harness/engine.js');
const { freePorts } = require('../../../harness/ports.js');
const { scope } = require('./children.js');
const { cluster, idleAnswer, textOf } = require('./servers.js');

/** @typedef {Awaited<ReturnType<typeof startEngine>> & { bodies: string[] }} Engine `bodies` received over HTTP */

async function network() {
  const [port] = await freePorts(1);
  const origin = `http://127.0.0.1:${port}/`;
  /** @type {Map<string, Engine>} */
  const engines = new Map();
  /** @type {Map<string, import('./servers.js').Server>} */
  const others = new Map();
  const server = http.createServer(async (request, response) => {
    const baseUrl = `${origin}${String(request.url).slice(1).replace('clustershazbot/gossip', '')}`;
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const engine = engines.get(baseUrl);
    engine?.bodies.push(body);
    const message = JSON.parse(body);
    const other = others.get(baseUrl) ?? { baseUrl, life: undefined };
    const reply = engine ? await engine.shazbotGossipRequest(SECRET, message) : idleAnswer(other, textOf(message));
    response.setHeader('content-type', 'application/json').end(JSON.stringify(reply));
  });
  server.listen(port, '127.0.0.1');
  return {
    /** @param {number} n @param {Parameters<typeof cluster>[2]} options */
    cluster(n, options) {
      const made = cluster(origin, n, options);
      for (const one of made.online) others.set(one.baseUrl, one);
      return made;
    },
    /** @param {string} name @returns {Promise<Engine>} */
    async start(name) {
      const engine = { ...(await startEngine(scope, { SHAZBOT_BASE_URL: `${origin}${name}/` })), bodies: [] };
      engines.set(engine.baseUrl, engine);
      return engine;
    },
  };
}

module.exports = { network };
