'use strict';

// Registers the metrics of this server in a registry of prom-client.

const client = require('prom-client');
const { counters } = require('./counters.js');
const { isDisabled } = require('./disabled.js');
const { checkOptions, kinds } = require('./options.js');
const { servers } = require('./server-lists.js');

/** Most values of a tag that have a time series of their own; the rest are counted together, as `other`. */
const MAX_TAG_VALUES = 100;

/** @typedef {ReturnType<typeof counters>} Counters */
/** @typedef {{ value: number, labels: Record<string, string | number>, metricName?: string }} Sample */

/** @type {import('./prometheus.d.ts').shazbotMetrics} */
function shazbotMetrics(options = {}) {
  checkOptions('shazbotMetrics', options, { register: kinds.registry, tags: kinds.texts });
  const { register = client.register, tags = [] } = options;
  /** @type {Counters | undefined} */
  let cached;
  const read = () => {
    if (!cached) {
      cached = readCounters();
      // A registry asks for all metrics of a scrape at once: the counters are read once, and all are of the same moment.
      Promise.resolve().then(() => {
        cached = undefined;
      });
    }
    return cached;
  };
  for (const { samples, ...metric } of tags.length > 0 ? [...METRICS, taggedServers(tags)] : METRICS) {
    const registered = {
      ...metric,
      aggregator: 'sum',
      // `registered` and not `metric`: a registry for OpenMetrics changes its name.
      async get() {
        const now = read();
        return { ...registered, values: now ? samples(now) : metric.name === UP && !isDisabled() ? single(0) : [] };
      },
      // The engine's counters cannot be reset.
      reset() {},
    };
    register.registerMetric(/** @type {any} */ (registered));
  }
}

function readCounters() {
  try {
    return counters();
  } catch {
    return undefined;
  }
}

const UP = 'clustershazbot_up';

/** @param {number} value */
const single = (value) => [{ value, labels: {} }];

/**
 * @param {string} label
 * @param {Record<string, number>} values
 * @param {Record<string, string>} [more]
 * @returns {Sample[]}
 */
const byLabel = (label, values, more) =>
  Object.entries(values).map(([name, value]) => ({ value, labels: { ...more, [label]: snakeCase(name) } }));

/** @param {string} name */
const snakeCase = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * @param {(list: Counters['masterLists'][number]) => number | undefined} value
 * @returns {(now: Counters) => Sample[]}
 */
const byMasterList = (value) => (now) =>
  now.masterLists.flatMap((list, index) => {
    const found = value(list);
    // Names leave out what may be secret, so two lists can have the same one.
    const earlier = now.masterLists.slice(0, index).filter(({ name }) => name === list.name).length;
    const name = earlier ? `${list.name} (${earlier + 1})` : list.name;
    return found === undefined ? [] : [{ value: found, labels: { list: name } }];
  });

/** @typedef {{ name: string, help: string, type: 'gauge' | 'counter' | 'histogram', samples: (now: Counters) => Sample[] }} Metric */

/**
 * @param {readonly string[]} keys of tags
 * @returns {Metric}
 */
const taggedServers = (keys) => ({
  name: 'clustershazbot_tagged_servers',
  help: 'Servers online, including this one, by the value of each tag that the program has named. Without the tag: an empty value.',
  type: 'gauge',
  samples: () => {
    const online = servers();
    return keys.flatMap((tag) => countByValue(online, tag));
  },
});

/**
 * @param {import('../index.js').ShazbotServer[]} online
 * @param {string} tag
 * @returns {Sample[]}
 */
function countByValue(online, tag) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { tags } of online) {
    // A key may be the name of a method of all objects.
    const given = Object.hasOwn(tags, tag) ? String(tags[tag]) : '';
    counts.set(given, (counts.get(given) ?? 0) + 1);
  }
  // The most frequent values, and of equally frequent ones always the same.
  const sorted = [...counts].sort(([one, n], [other, m]) => m - n || (one < other ? -1 : 1));
  const shown = new Map(sorted.slice(0, MAX_TAG_VALUES));
  for (const [, count] of sorted.slice(MAX_TAG_VALUES)) shown.set('other', (shown.get('other') ?? 0) + count);
  return [...shown].map(([value, count]) => ({ value: count, labels: { tag, value } }));
}

/** @type {Metric[]} */
const METRICS = [
  {
    name: UP,
    help: '1 if the engine is started and works, else 0.',
    type: 'gauge',
    samples: () => single(1),
  },
  {
    name: 'clustershazbot_members',
    help: 'Servers that this server knows, including itself, by state. suspect: listed online, but does not answer this server; unknown: offline without a known reason.',
    type: 'gauge',
    samples: ({ members }) => byLabel('state', members),
  },
  {
    name: 'clustershazbot_failing_members',
    help: 'Servers, apart from those that left or are drained, with which the last exchange of this server failed, by the code of the failure.',
    type: 'gauge',
    samples: ({ failing }) => Object.entries(failing).map(([code, value]) => ({ value, labels: { code } })),
  },
  {
    name: 'clustershazbot_warnings',
    help: 'Warnings whose cause holds now, by code.',
    type: 'gauge',
    samples: ({ warnings }) => Object.entries(warnings).map(([code, value]) => ({ value, labels: { code } })),
  },
  {
    name: 'clustershazbot_exchanges_total',
    help: 'Gossip exchanges, by direction (out: begun by this server) and result.',
    type: 'counter',
    samples: ({ exchanges }) => [
      ...byLabel('result', exchanges.out, { direction: 'out' }),
      ...byLabel('result', exchanges.in, { direction: 'in' }),
    ],
  },
  {
    name: 'clustershazbot_exchange_duration_seconds',
    help: 'Duration of the answered gossip exchanges that this server began.',
    type: 'histogram',
    samples: ({ exchanges: { durations } }) => histogram('clustershazbot_exchange_duration_seconds', durations),
  },
  {
    name: 'clustershazbot_sent_bytes_total',
    help: 'Bytes of gossip messages sent, by direction of the exchange (in: from version 2 servers only).',
    type: 'counter',
    samples: ({ exchanges: { bytes } }) => byLabel('direction', { out: bytes.out.sent, in: bytes.in.sent }),
  },
  {
    name: 'clustershazbot_received_bytes_total',
    help: 'Bytes of gossip messages received, by direction of the exchange (in: from version 2 servers only).',
    type: 'counter',
    samples: ({ exchanges: { bytes } }) => byLabel('direction', { out: bytes.out.received, in: bytes.in.received }),
  },
  {
    name: 'clustershazbot_updates_total',
    help: 'Member updates that this server passed on.',
    type: 'counter',
    samples: ({ exchanges }) => single(exchanges.updates),
  },
  {
    name: 'clustershazbot_suspicions_total',
    help: 'Times that a server did not answer this one, which then asked others to probe it.',
    type: 'counter',
    samples: ({ exchanges }) => single(exchanges.suspicions),
  },
  {
    name: 'clustershazbot_deaths_total',
    help: 'Times that this server declared another server failed.',
    type: 'counter',
    samples: ({ exchanges }) => single(exchanges.deaths),
  },
  {
    name: 'clustershazbot_refutations_total',
    help: 'Times that this server refuted that it is offline.',
    type: 'counter',
    samples: ({ exchanges }) => single(exchanges.refutations),
  },
  {
    name: 'clustershazbot_watches',
    help: 'Silent connections that this server holds to others, which the kernel closes when their process ends.',
    type: 'gauge',
    samples: ({ exchanges }) => single(exchanges.watches.open),
  },
  {
    name: 'clustershazbot_watch_ends_total',
    help: 'Silent connections that ended, by cause: closed by the other side, its host vanished, not opened.',
    type: 'counter',
    samples: ({ exchanges: { watches } }) => {
      const { closed, vanished, notOpened } = watches;
      return byLabel('cause', { closed, vanished, notOpened });
    },
  },
  {
    name: 'clustershazbot_hint_probes_total',
    help: 'Probes that the end of a silent connection or another hint started.',
    type: 'counter',
    samples: ({ exchanges }) => single(exchanges.watches.probes),
  },
  {
    name: 'clustershazbot_master_list_age_seconds',
    help: 'Time since the master list was last read.',
    type: 'gauge',
    samples: byMasterList(({ read }) => read && Math.max(0, Date.now() - read) / 1000),
  },
  {
    name: 'clustershazbot_master_list_servers',
    help: 'Servers in the master list when it was last read or written.',
    type: 'gauge',
    samples: byMasterList(({ servers }) => servers),
  },
  {
    name: 'clustershazbot_master_list_failures_total',
    help: 'Failed reads and writes of the master list.',
    type: 'counter',
    samples: byMasterList(({ failed }) => failed),
  },
  {
    name: 'clustershazbot_event_loop_seconds_total',
    help: 'Event loop time spent on requests of other servers.',
    type: 'counter',
    samples: ({ exchanges }) => single(exchanges.eventLoop),
  },
];

/**
 * @param {string} name
 * @param {Counters['exchanges']['durations']} durations
 * @returns {Sample[]}
 */
function histogram(name, { le, counts, sum }) {
  let count = 0;
  const buckets = [...le, '+Inf'].map((end, i) => {
    count += counts[i] ?? 0;
    return { metricName: `${name}_bucket`, labels: { le: end }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: {}, value: sum },
    { metricName: `${name}_count`, labels: {}, value: count },
  ];
}

module.exports = { shazbotMetrics };
