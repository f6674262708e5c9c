import { Dispatcher } from 'undici';
import type { PickOptions } from '../index.js';

export interface ShazbotDispatcherOptions extends PickOptions {
  /** How many servers are tried at most for one request; default 3. `Infinity`: all. */
  attempts?: number | undefined;
  /** What sends the requests; default: an `Agent` of undici. Closed and destroyed together with this one. */
  dispatcher?: Dispatcher | undefined;
}

/**
 * A dispatcher for undici 6 and newer that sends each request to a server of the cluster that is online and ready, whatever origin
 * its URL has. It tries another server as `shazbotFetch` does, but not after a 503.
 *
 * ```js
 * const dispatcher = new ShazbotDispatcher({ where: { role: 'api' } });
 * const { statusCode } = await request('http://cluster/orders', { dispatcher });
 * ```
 */
export declare class ShazbotDispatcher extends Dispatcher {
  constructor(options?: ShazbotDispatcherOptions);
}
