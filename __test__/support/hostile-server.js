'use strict';

// A server that measures how long its event loop stands still and how much memory it takes, for hostile-bodies.test.js.

const { readFileSync } = require('node:fs');
const { performance } = require('node:perf_hooks');
const v8 = require('node:v8');
const vm = require('node:vm');
const express = require('express');
const { shazbotGossipRequest, shazbotListRequest, shazbotStart } = require('../..');
const { shazbotRouter } = require('../../lib/express.js');

const { TEST_PORT, TEST_SERVERS = '0' } = process.env;

/** Processor time of this thread in ms: a busy machine does not change it. Other systems than Linux have the wall clock only. */
function threadTime() {
  try {
    return Number.parseInt(readFileSync('/proc/thread-self/schedstat', 'utf8'), 10) / 1e6;
  } catch {
    return performance.now();
  }
}

const longest = { cpu: 0, wall: 0 };
const memory = { rest: 0, most: 0 };
let last = { cpu: threadTime(), wall: performance.now() };

function tick() {
  const now = { cpu: threadTime(), wall: performance.now() };
  for (const clock of /** @type {const} */ (['cpu', 'wall'])) {
    longest[clock] = Math.max(longest[clock], now[clock] - last[clock]);
  }
  memory.most = Math.max(memory.most, process.memoryUsage.rss());
  last = { cpu: threadTime(), wall: performance.now() };
}
const ticks = setInterval(tick, 1);

/** @type {Record<string, () => unknown>} */
const orders = {
  reset() {
    v8.setFlagsFromString('--expose-gc');
    vm.runInNewContext('gc')();
    memory.rest = process.memoryUsage.rss();
    memory.most = memory.rest;
    last = { cpu: threadTime(), wall: performance.now() };
    longest.cpu = 0;
    longest.wall = 0;
  },
  /** Stops measuring, which takes time itself, and returns the time that the thread has used. */
  usage() {
    clearInterval(ticks);
    return threadTime();
  },
  report() {
    tick();
    return { ...longest, grown: memory.most - memory.rest };
  },
};

process.on('message', (/** @type {keyof typeof orders} */ order) => process.send?.(orders[order]?.() ?? null));
process.on('disconnect', () => process.exit(1));

const app = express();
app.use('/clustershazbot', shazbotRouter());
/** Routes as version 1's README has them, with a parser that takes large bodies. */
app.use('/own', express.json({ limit: '16mb' }));
const answer = (/** @type {any} */ res, /** @type {Promise<any>} */ promise) =>
  promise.then(
    (value) => res.json(value),
    ({ status = 500, message, code }) => res.status(status).json({ error: message, code }),
  );
app.post('/own/gossip', (/** @type {any} */ req, /** @type {any} */ res) => {
  // What the parser itself takes is not the package's.
  setImmediate(() => {
    orders.reset?.();
    answer(res, shazbotGossipRequest(req.headers.authorization, req.body));
  });
});
app.get('/own/list', (/** @type {any} */ req, /** @type {any} */ res) => {
  answer(res, shazbotListRequest(req.headers.authorization));
});

app.listen(Number(TEST_PORT), '127.0.0.1', async () => {
  await shazbotStart();
  const online = (/** @type {number} */ n) => ({
    baseUrl: `http://10.0.${n >> 8}.${n & 255}:3000/`,
    monitor: false,
    lastUpdate: Date.now(),
  });
  for (let n = 0; n < Number(TEST_SERVERS); n += 1_000) {
    const part = Array.from({ length: 1_000 }, (_, i) => online(n + i));
    await shazbotGossipRequest(String(process.env.SHAZBOT_SECRET), { message: 'gossip', online: part });
  }
  process.send?.('ready');
});
