'use strict';

// Starts worker threads with an engine, one after the other, and terminates each in the middle of what the first
// argument says. Ends by itself; prints how many it terminated.

const { once } = require('node:events');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');

const { shazbotGossipRequest, shazbotShutDown, shazbotStart } = require('clustershazbot');

const [phase, hanging] = process.argv.slice(2);

async function work() {
  const started = shazbotStart();
  if (phase === 'starting') return parentPort?.postMessage('now');
  await started;
  if (phase === 'leaving') {
    // The goodbye to this server gets no answer.
    const server = { baseUrl: String(hanging), monitor: true, lastUpdate: Date.now() };
    await shazbotGossipRequest(String(process.env.SHAZBOT_SECRET), { message: 'gossip', online: [server] });
    shazbotShutDown();
  }
  parentPort?.postMessage('now');
}

async function terminateAll() {
  for (let n = 0; n < 20; n++) {
    const worker = new Worker(__filename, { argv: process.argv.slice(2) });
    await once(worker, 'message');
    // Another moment each time.
    await new Promise((resolve) => setTimeout(resolve, 7 * n));
    await worker.terminate();
    console.log(n + 1);
  }
}

if (isMainThread) terminateAll();
else work();
