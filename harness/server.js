'use strict';

// One server of a cluster, in a process of its own: the README's Express program, which also carries out orders that its
// parent sends over IPC.

const diagnostics = require('node:diagnostics_channel');
const { readFileSync } = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const path = require('node:path');
const { monitorEventLoopDelay, performance } = require('node:perf_hooks');
const v8 = require('node:v8');
const vm = require('node:vm');
const express = require('express');

/** @type {typeof import('..')} */
const engine = require(process.env.TEST_ENGINE ?? '..');
const { shazbotControlRequest, shazbotGossipRequest, shazbotListRequest, shazbotShutDown, shazbotStart } = engine;

/** @param {object} message */
const tell = (message) => {
  if (process.connected) process.send?.(message);
};
/** @param {any} error */
const plain = (error) => ({
  message: String(error?.message ?? error),
  code: error?.code,
  status: error?.status,
  cause: error?.cause?.code,
});

process.on('warning', ({ name, message, ...rest }) => tell({ event: 'warning', value: { name, message, ...rest } }));
diagnostics.subscribe('clustershazbot:log', (value) => {
  // All processes on a machine share its clock, so their times can be compared.
  tell({ event: 'log', value, at: Date.now() });
});
// Version 1 has no events.
for (const type of /** @type {const} */ (['online', 'offline', 'suspect', 'tags', 'ready'])) {
  engine.shazbotEvents?.on(type, (value) => tell({ event: 'member', value }));
}
// Nobody else ends this process when its parent is gone.
process.on('disconnect', () => process.exit(1));

const app = express();
let gossips = 0;
/** @type {import('node:perf_hooks').IntervalHistogram | undefined} */
let delays;
/** Of the event loop, in ms. */
let longestDelay = 0;
/** @type {{ status: number, request: number, answer: number }[]} Answered gossip, with the bytes of the bodies. */
const exchanges = [];

// Below a prefix, as with Nest's setGlobalPrefix: everything else is not found.
const { TEST_PREFIX } = process.env;
if (TEST_PREFIX) {
  app.use((/** @type {any} */ req, /** @type {any} */ res, /** @type {() => void} */ next) => {
    if (!req.url.startsWith(`${TEST_PREFIX}/`)) return res.status(404).send(`Cannot ${req.method} ${req.path}`);
    req.url = req.url.slice(TEST_PREFIX.length);
    next();
  });
}

// The routes are mounted twice: as in the README, and below /plain without a catch, where Express answers with the status
// of the error.
app.use((/** @type {any} */ req, /** @type {any} */ res, /** @type {() => void} */ next) => {
  if (req.path.endsWith('clustershazbot/gossip')) {
    gossips += 1;
    res.on('finish', () => {
      const [request, answer] = [req.headers['content-length'], res.getHeader('content-length')].map(Number);
      exchanges.push({ status: res.statusCode, request, answer });
    });
  }
  next();
});
// The routes of clustershazbot/express, before the others.
if (process.env.TEST_ROUTER) app.use('/clustershazbot', require('../lib/express.js').shazbotRouter());
app.use(express.json());

app.post('/clustershazbot/gossip', async (/** @type {any} */ req, /** @type {any} */ res) => {
  try {
    const auth = req.headers.authorization || '';
    const result = await shazbotGossipRequest(auth, req.body);
    res.json(result);
  } catch (error) {
    res.status(401).json({ error: plain(error).message });
  }
});

app.get('/clustershazbot/list', async (/** @type {any} */ req, /** @type {any} */ res) => {
  try {
    const auth = req.headers.authorization || '';
    const result = await shazbotListRequest(auth);
    res.json(result);
  } catch (error) {
    res.status(500).json({ error: plain(error).message });
  }
});

app.post('/clustershazbot/control', async (/** @type {any} */ req, /** @type {any} */ res) => {
  try {
    const auth = req.headers.authorization || '';
    await shazbotControlRequest(auth, req.body);
    res.json({ success: true });
  } catch (error) {
    res.status(401).json({ error: plain(error).message });
  }
});

/** A request of the program's own, which has nothing to do with gossip. */
app.get('/ordinary', (/** @type {any} */ _req, /** @type {any} */ res) => {
  res.json({ id: 1, name: 'an ordinary answer', tags: ['small', 'json'] });
});

app.post('/plain/clustershazbot/gossip', async (/** @type {any} */ req, /** @type {any} */ res) => {
  res.json(await shazbotGossipRequest(req.headers.authorization, req.body));
});
app.get('/plain/clustershazbot/list', async (/** @type {any} */ req, /** @type {any} */ res) => {
  res.json(await shazbotListRequest(req.headers.authorization));
});
app.post('/plain/clustershazbot/control', async (/** @type {any} */ req, /** @type {any} */ res) => {
  await shazbotControlRequest(req.headers.authorization, req.body);
  res.json({ success: true });
});
// Express's own handler would print the error to standard error, which tests read.
app.use((/** @type {any} */ error, /** @type {any} */ _req, /** @type {any} */ res, /** @type {any} */ _next) => {
  res.status(error.status ?? 500).json({ error: error.expose ? error.message : 'Internal Server Error' });
});

function cpuTime() {
  try {
    return Number.parseInt(readFileSync('/proc/thread-self/schedstat', 'utf8'), 10) / 1e6;
  } catch {
    return undefined;
  }
}

function noteDelay() {
  longestDelay = Math.max(longestDelay, delays ? delays.max / 1e6 : 0);
}

/** Resident memory in bytes: now, after a garbage collection, and the most so far. */
function memory() {
  noteDelay();
  v8.setFlagsFromString('--expose-gc');
  vm.runInNewContext('gc')();
  // This collection is not a delay.
  delays?.reset();
  return { now: process.memoryUsage.rss(), most: 1024 * process.resourceUsage().maxRSS };
}

/** @type {Record<string, (...args: any[]) => unknown>} */
const orders = {
  start: () => shazbotStart(),
  shutDown: () => shazbotShutDown(),
  /** The number of gossip requests received. */
  gossips: () => gossips,
  /** The exchanges answered since the last such order. */
  exchanges: () => exchanges.splice(0),
  /** Use of the event loop, and CPU time of this thread in ms, which only Linux counts. */
  usage: () => ({ loop: performance.eventLoopUtilization(), cpu: cpuTime() }),
  memory,
  /**
   * The longest delay of the event loop since the last such order, in ms: at least the 10 between two measurements. The first
   * such order returns undefined.
   */
  delay() {
    noteDelay();
    const longest = delays && longestDelay;
    longestDelay = 0;
    delays ??= monitorEventLoopDelay();
    delays.reset();
    delays.enable();
    return longest;
  },
  /** The errors of connections that the HTTP server has reported. */
  clientErrors: () => clientErrors,
  /** Its metrics, as Prometheus reads them. */
  metrics() {
    const { Registry } = require('prom-client');
    const register = new Registry();
    require('../lib/prometheus.js').shazbotMetrics({ register });
    return register.metrics();
  },
  /** The number of servers with which the last exchange failed, by its code. */
  failing: () => require('../lib/counters.js').counters().failing,
  exit: () => process.exit(3),
  throw: () => {
    setImmediate(() => {
      throw new Error('a test throws');
    });
  },
  /** Resolves with the ms that the HTTP server takes to close. */
  async close() {
    const since = performance.now();
    await new Promise((resolve) => server.close(resolve));
    return performance.now() - since;
  },
  /** @param {'shazbotGetServerList' | 'shazbotStatus'} name */
  call: (name, ...args) => engine[name](...args),
};

process.on('message', async (/** @type {{ id: number, order: string, args: any[] }} */ { id, order, args }) => {
  if (order === 'block') {
    // Blocks the event loop without using a core.
    tell({ id, value: true });
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, args[0]));
    return;
  }
  try {
    tell({ id, value: await orders[order]?.(...args) });
  } catch (error) {
    tell({ id, error: plain(error) });
  }
});

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.on(signal, async () => {
    await shazbotShutDown();
    process.exit(0);
  });
}

if (process.env.TEST_START !== 'no') {
  shazbotStart().then(
    () => tell({ event: 'started' }),
    (error) => tell({ event: 'refused', value: plain(error) }),
  );
}
/** @type {string[]} */
const clientErrors = [];
const { TEST_PORT, TEST_HOST = '127.0.0.1', TEST_TLS, TEST_TLS_CLIENTS, TEST_CLIENT_ERRORS } = process.env;
const server = TEST_TLS ? https.createServer(pair(TEST_TLS), app) : http.createServer(app);
if (TEST_CLIENT_ERRORS) {
  // A listener replaces Node's own answer.
  server.on('clientError', (/** @type {any} */ error, socket) => {
    clientErrors.push(`clientError ${error.code}`);
    socket.destroy();
  });
  server.on('tlsClientError', (/** @type {any} */ error) => clientErrors.push(`tlsClientError ${error.code}`));
}
server.listen(Number(TEST_PORT), TEST_HOST, () => tell({ event: 'listening' }));

/** @param {string} folder of the key and the certificate */
function pair(folder) {
  const read = (/** @type {string} */ name) => readFileSync(path.join(folder, name));
  const clients = TEST_TLS_CLIENTS && {
    requestCert: true,
    rejectUnauthorized: true,
    ca: readFileSync(TEST_TLS_CLIENTS),
  };
  return { key: read('key.pem'), cert: read('cert.pem'), ...clients };
}
