// Workers of node:cluster that share the public port. Each is a server of the cluster with a port, and so a base URL, of its own.
// HOST, PORT, OWN_PORTS, WORKERS and the SHAZBOT_* variables come from the environment.

import cluster from 'node:cluster';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { shazbotServers, shazbotShutDown, shazbotStart } from 'clustershazbot';
import { shazbotRouter } from 'clustershazbot/express';
import express from 'express';

const { HOST = '127.0.0.1', PORT = '3000', OWN_PORTS = '4000', WORKERS = String(availableParallelism()) } = process.env;

/** Replaces a worker that has failed. The number stays the same, and with it the base URL. */
function startWorker(number) {
  const worker = cluster.fork({ WORKER: number });
  worker.once('exit', (code) => {
    if (isStopping) return;
    // Ended before it joined the cluster: with a wrong setting or a port in use, the next one would fail as well.
    if (code !== 0 && !worker.hasJoined) stopAll(1);
    else setTimeout(startWorker, 1_000, number);
  });
  worker.once('message', () => {
    worker.hasJoined = true;
  });
}

let isStopping = false;
/** By message, because Windows has no signals between processes. */
function stopAll(exitCode) {
  isStopping = true;
  process.exitCode ||= exitCode;
  for (const worker of Object.values(cluster.workers)) if (worker.isConnected()) worker.send('stop');
}

async function runWorker() {
  const ownPort = Number(OWN_PORTS) + Number(process.env.WORKER);

  // The other servers ask here, so that they reach this worker and not another one.
  const own = express();
  own.use('/clustershazbot', shazbotRouter());

  const app = express();
  app.get('/', (_req, res) => res.send(`worker ${process.env.WORKER}\n`));
  app.get('/peers', (_req, res) => {
    const others = shazbotServers(({ self }) => !self);
    res.json(others.map(({ baseUrl }) => baseUrl));
  });

  const servers = [app.listen(Number(PORT)), own.listen({ port: ownPort, exclusive: true })];
  async function stop() {
    await shazbotShutDown({ drainFor: 1500 });
    for (const server of servers) server.close();
    // Otherwise the channel to the primary keeps the worker running.
    if (cluster.worker.isConnected()) cluster.worker.disconnect();
    // A client that never ends its request would keep the worker running.
    setTimeout(() => process.exit(), 10_000).unref();
  }
  process.on('message', stop);
  // Ctrl+C reaches all processes of the terminal.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop);

  await Promise.all(servers.map((server) => once(server, 'listening')));
  await shazbotStart({ port: ownPort, config: { SHAZBOT_BASE_URL: `http://${HOST}:{port}/` } });
  process.send('joined');
}

if (cluster.isPrimary) {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stopAll(0));
  for (let number = 0; number < Number(WORKERS); number += 1) startWorker(number);
} else {
  await runWorker();
}
