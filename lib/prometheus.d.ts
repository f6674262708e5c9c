import type { OpenMetricsContentType, Registry } from 'prom-client';

/**
 * Registers the metrics of this server, `clustershazbot_…`, in a registry of prom-client; throws where they are there
 * already. `register` is prom-client's global one by default. Before start `clustershazbot_up` is 0 and the others have no
 * sample.
 */
export declare function shazbotMetrics(options?: { register?: Registry | Registry<OpenMetricsContentType> }): void;
