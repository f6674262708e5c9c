// Next.js calls `register` once when its server starts.

export async function register() {
  // In a file of its own, because Next.js also compiles this one for the edge, which has neither addons nor signals.
  if (process.env.NEXT_RUNTIME === 'nodejs') await import('./cluster.js');
}
