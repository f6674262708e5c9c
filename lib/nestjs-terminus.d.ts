import type { HealthIndicatorResult } from '@nestjs/terminus';
import type { Where } from '../index.js';

/**
 * A health indicator for `@nestjs/terminus`: add it to the providers of the module that has the health check, and call it
 * there.
 */
export declare class ShazbotHealthIndicator {
  /**
   * Reports `up` while the engine runs and this server lists at least `minOnline` servers online. This server counts too,
   * unless it is drained. With `enabled: false` it reports `up`, with `disabled: true`.
   * @param key the name of the result in the response
   * @param options `minOnline` defaults to 1; with `where` only the servers that match it count, for example `{ role: 'db' }`
   */
  isHealthy<Key extends string>(
    key: Key,
    options?: { minOnline?: number | undefined; where?: Where | undefined },
  ): HealthIndicatorResult<Key>;
}
