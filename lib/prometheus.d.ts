/** A registry of any version of prom-client, so that programs with several of them compile. */
export interface MetricsRegistry {
  registerMetric(metric: never): void;
}

/**
 * Registers the metrics of this server in a registry of prom-client. Their names begin with `clustershazbot_`; they are read
 * when the registry is scraped. Throws if they are registered in it already.
 *
 * Before the engine is started, `clustershazbot_up` is 0 and the other metrics have no values. With `SHAZBOT_ENABLED=false` it has
 * none either.
 * @param options `register`: the registry; by default prom-client's global one. Pass it if several copies of prom-client are
 * installed. `tags`: keys of tags, for example `['version', 'zone']`; adds the metric `clustershazbot_tagged_servers`, which counts
 * the servers online by the value of each of them. Name only tags with few values.
 */
export declare function shazbotMetrics(options?: {
  register?: MetricsRegistry | undefined;
  tags?: readonly string[] | undefined;
}): void;
