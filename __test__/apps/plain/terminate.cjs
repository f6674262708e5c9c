'use strict';

// Starts 20 worker threads with an engine, one after the other, and terminates each in the phase that the first argument
// names: starting, running or leaving. Prints a number for each terminated thread.

const { once } = require('node:events');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');

const { shazbotGossipRequest, shazbotShutDown, shazbotStart } = require('clustershazbot');

const [phase, hanging] = process.argv.slice(2);

async function work() {
  const started = shazbotStart();
  if (phase === 'starting') return parentPort?.postMessage('ready');
  await started;
  if (phase === 'leaving') {
    // The shutdown tells this server, which never answers.
    const server = { baseUrl: String(hanging), monitor: true, lastUpdate: Date.now() };
    await shazbotGossipRequest(String(process.env.SHAZBOT_SECRET), { message: 'gossip', online: [server] });
    shazbotShutDown();
  }
  parentPort?.postMessage('ready');
}

async function terminateAll() {
  for (let n = 0; n < 20; n++) {
    const worker = new Worker(__filename, { argv: process.argv.slice(2) });
    await once(worker, 'message');
    // Terminates each thread at another moment of the phase.
    await new Promise((resolve) => setTimeout(resolve, 7 * n));
    await worker.terminate();
    console.log(n + 1);
  }
}

if (isMainThread) terminateAll();
else work();
