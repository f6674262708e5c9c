// Next.js calls this once when the server starts.
export async function register() {
  // Also called where code runs at the edge, which has no addons.
  if (process.env.NEXT_RUNTIME !== 'nodejs') return;
  const { shazbotShutDown, shazbotStart } = await import('clustershazbot');
  shazbotStart().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
  // Next.js ends at once on a signal, and others would list this server as failed. With NEXT_MANUAL_SIG_HANDLE=true it
  // leaves the signals to the program.
  if (!process.env.NEXT_MANUAL_SIG_HANDLE) return;
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, async () => {
      await shazbotShutDown();
      process.exit(0);
    });
  }
}
