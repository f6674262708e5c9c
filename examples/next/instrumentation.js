// Joins the cluster when the server of Next.js starts, and leaves it when the process gets a signal.

export async function register() {
  // Next.js also calls this where code runs at the edge, which has no addons.
  if (process.env.NEXT_RUNTIME !== 'nodejs') return;
  const { shazbotShutDown, shazbotStart } = await import('clustershazbot');
  shazbotStart().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
  // By default Next.js ends at once on a signal, and the others list this server as failed.
  if (!process.env.NEXT_MANUAL_SIG_HANDLE) return;
  const stop = async () => {
    await shazbotShutDown();
    process.exit(0);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}
