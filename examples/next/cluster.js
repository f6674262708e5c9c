// Joins the cluster when the server of Next.js starts, and leaves it when the process gets a signal.

import { shazbotShutDown, shazbotStart } from 'clustershazbot';

shazbotStart().catch((error) => {
  console.error(error.message);
  process.exit(1);
});

async function stop() {
  await shazbotShutDown({ drainFor: 1500 });
  process.exit(0);
}

// By default Next.js ends at once on a signal, and the others list this server as failed.
if (process.env.NEXT_MANUAL_SIG_HANDLE) {
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}
