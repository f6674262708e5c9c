'use strict';

// Child process that is an Express program: bare, with the package, or with the JavaScript of version 1.

const { setTimeout: sleep } = require('node:timers/promises');
const express = require('express');

const { CONTROL_SECRET, SECRET } = require('../../../harness/cluster.js');
const { freePorts } = require('../../../harness/ports.js');
const { answer, scope } = require('./children.js');
const { threadTime } = require('./meter.js');

/** @typedef {Pick<typeof import('../../..'), 'shazbotGossipRequest' | 'shazbotListRequest'>} Handlers */

/**
 * @param {'nothing' | 'ours' | 'baseline'} who
 * @param {string} baseUrl
 * @param {boolean} often whether it gossips with others
 * @returns {Promise<Handlers>}
 */
async function handlers(who, baseUrl, often) {
  if (who === 'ours') {
    // Not at the top: it would add to the memory of the other programs.
    const { startEngine } = require('../../../harness/engine.js');
    return startEngine(scope, { SHAZBOT_BASE_URL: baseUrl, SHAZBOT_GOSSIP_INTERVAL: often ? '0.1' : '3600' });
  }
  if (who === 'baseline') {
    const { Baseline } = require('./baseline.js');
    const baseline = new Baseline({ baseUrl, secret: SECRET, controlSecret: CONTROL_SECRET });
    return {
      shazbotGossipRequest: (header, body) => baseline.gossipRequest(header, body),
      shazbotListRequest: (header) => baseline.listRequest(header),
    };
  }
  return {
    shazbotGossipRequest: async () => /** @type {any} */ ({ message: 'gossip', shazbot: '2' }),
    shazbotListRequest: async () => ({ online: [] }),
  };
}

/** @param {{ who: 'nothing' | 'ours' | 'baseline', others?: string }} options `others`: the origin of the servers it gossips with */
async function listen({ who, others }) {
  const [port] = await freePorts(1);
  const origin = `http://127.0.0.1:${port}/`;
  const { shazbotGossipRequest, shazbotListRequest } = await handlers(
    who,
    `${others ?? origin}self/`,
    others !== undefined,
  );
  const app = express();
  app.use(express.json({ limit: '16mb' }));
  app.post('/self/clustershazbot/gossip', async (req, res) => {
    res.json(await shazbotGossipRequest(req.headers.authorization ?? '', req.body));
  });
  app.get('/self/clustershazbot/list', async (req, res) => {
    res.json(await shazbotListRequest(req.headers.authorization ?? ''));
  });
  await new Promise((resolve) => {
    app.listen(port, '127.0.0.1', () => resolve(undefined));
  });
  return { origin };
}

answer(listen, async (/** @type {'time' | 'memory'} */ order) => {
  if (order === 'time') {
    const { user, system } = process.cpuUsage();
    return { eventLoop: threadTime(), cpu: user + system };
  }
  globalThis.gc?.();
  // V8 returns freed memory to the system with a delay.
  await sleep(200);
  globalThis.gc?.();
  return process.memoryUsage.rss();
});
