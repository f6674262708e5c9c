import type { HealthIndicatorResult } from '@nestjs/terminus';

/** For a health check of @nestjs/terminus: add it to the providers of the module that has the check. */
export declare class ShazbotHealthIndicator {
  /**
   * Up while this server runs and lists at least `minOnline` servers online, itself included; default 1. A drained server
   * does not count itself.
   */
  isHealthy<Key extends string>(key: Key, options?: { minOnline?: number }): HealthIndicatorResult<Key>;
}
