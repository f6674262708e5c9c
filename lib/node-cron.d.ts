import type { OneServerOptions } from '../index.js';

/**
 * A coordinator for node-cron 4: of the servers of the cluster, the owner of a task runs it.
 *
 * ```js
 * cron.setRunCoordinator(shazbotCoordinator({ minOnline: 3 }));
 * cron.schedule('0 3 * * *', backUp, { name: 'backup', distributed: true });
 * ```
 *
 * It is not a lock: see {@link shazbotOwner} for when a run is missed or done twice.
 */
export declare function shazbotCoordinator(options?: OneServerOptions): {
  shouldRun(key: string, ttlMs?: number): boolean;
};
