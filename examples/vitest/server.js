// Starts the application as a server of the cluster. PORT and the SHAZBOT_* variables come from the environment.

import { shazbotShutDown, shazbotStart } from 'clustershazbot';
import { createApp } from './app.js';

const server = createApp().listen(Number(process.env.PORT ?? 3000), (error) => {
  if (error) throw error;
  shazbotStart().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
});

async function stop() {
  await shazbotShutDown({ drainFor: 1500 });
  server.close();
  // A client that never ends its request would keep the process running.
  setTimeout(() => process.exit(), 10_000).unref();
}
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
