'use strict';

const client = require('prom-client');
const { figures } = require('./figures.js');

/** @typedef {ReturnType<typeof figures>} Figures */
/** @typedef {{ value: number, labels: Record<string, string | number>, metricName?: string }} Sample */

/** @type {import('./prometheus.d.ts').shazbotMetrics} */
function shazbotMetrics({ register = client.register } = {}) {
  /** @type {Figures | undefined} */
  let taken;
  const read = () => {
    if (!taken) {
      taken = orNone();
      // The registry asks all metrics at once: they are of one moment, and taken once.
      queueMicrotask(() => {
        taken = undefined;
      });
    }
    return taken;
  };
  for (const { samples, ...metric } of METRICS) {
    const registered = {
      ...metric,
      aggregator: 'sum',
      // The registry may have given it another name meanwhile, as OpenMetrics wants.
      async get() {
        const now = read();
        return { ...registered, values: now || metric.name === UP ? samples(now ?? NONE) : [] };
      },
      // These are not the registry's to reset.
      reset() {},
    };
    register.registerMetric(/** @type {any} */ (registered));
  }
}

function orNone() {
  try {
    return figures();
  } catch {
    return undefined;
  }
}

const UP = 'clustershazbot_up';
const NONE = /** @type {Figures} */ ({});

/** @param {number} value */
const one = (value) => [{ value, labels: {} }];

/**
 * @param {string} label
 * @param {Record<string, number>} values
 * @param {Record<string, string>} [more]
 * @returns {Sample[]}
 */
const each = (label, values, more) =>
  Object.entries(values).map(([name, value]) => ({ value, labels: { ...more, [label]: snake(name) } }));

/** @param {string} name */
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * @param {(list: Figures['masterLists'][number]) => number | undefined} value
 * @returns {(now: Figures) => Sample[]}
 */
const ofLists = (value) => (now) =>
  now.masterLists.flatMap((list, index) => {
    const found = value(list);
    // Without what may be secret two URLs can have one name.
    const earlier = now.masterLists.slice(0, index).filter(({ name }) => name === list.name).length;
    const name = earlier ? `${list.name} (${earlier + 1})` : list.name;
    return found === undefined ? [] : [{ value: found, labels: { list: name } }];
  });

/** @type {{ name: string, help: string, type: 'gauge' | 'counter' | 'histogram', samples: (now: Figures) => Sample[] }[]} */
const METRICS = [
  {
    name: UP,
    help: 'Whether the engine is started and works.',
    type: 'gauge',
    samples: (now) => one(now === NONE ? 0 : 1),
  },
  {
    name: 'clustershazbot_members',
    help: 'Servers that this one knows, itself included, by state. suspect: listed online, and does not answer; unknown: offline for a reason that nobody gave.',
    type: 'gauge',
    samples: ({ members }) => each('state', members),
  },
  {
    name: 'clustershazbot_exchanges_total',
    help: 'Exchanges of gossip, by who began them (out: this server) and how they ended.',
    type: 'counter',
    samples: ({ exchanges }) => [
      ...each('result', exchanges.out, { direction: 'out' }),
      ...each('result', exchanges.in, { direction: 'in' }),
    ],
  },
  {
    name: 'clustershazbot_exchange_duration_seconds',
    help: 'How long exchanges took that this server began and that were answered.',
    type: 'histogram',
    samples: ({ exchanges: { durations } }) => histogram('clustershazbot_exchange_duration_seconds', durations),
  },
  {
    name: 'clustershazbot_sent_bytes_total',
    help: 'Bytes of message bodies sent, by who began the exchange; of those that others began, of version 2 only.',
    type: 'counter',
    samples: ({ exchanges: { bytes } }) => each('direction', { out: bytes.out.sent, in: bytes.in.sent }),
  },
  {
    name: 'clustershazbot_received_bytes_total',
    help: 'Bytes of message bodies received, by who began the exchange; of those that others began, of version 2 only.',
    type: 'counter',
    samples: ({ exchanges: { bytes } }) => each('direction', { out: bytes.out.received, in: bytes.in.received }),
  },
  {
    name: 'clustershazbot_rumours_total',
    help: 'Changes of servers that this one told on.',
    type: 'counter',
    samples: ({ exchanges }) => one(exchanges.rumours),
  },
  {
    name: 'clustershazbot_suspicions_total',
    help: 'Servers that did not answer this one, so that it asked others.',
    type: 'counter',
    samples: ({ exchanges }) => one(exchanges.suspicions),
  },
  {
    name: 'clustershazbot_deaths_total',
    help: 'Servers that this one called failed.',
    type: 'counter',
    samples: ({ exchanges }) => one(exchanges.deaths),
  },
  {
    name: 'clustershazbot_refutations_total',
    help: 'Answers of this server to others that had called it offline.',
    type: 'counter',
    samples: ({ exchanges }) => one(exchanges.refutations),
  },
  {
    name: 'clustershazbot_master_list_age_seconds',
    help: 'Time since the master list was last read.',
    type: 'gauge',
    samples: ofLists(({ read }) => read && Math.max(0, Date.now() - read) / 1000),
  },
  {
    name: 'clustershazbot_master_list_servers',
    help: 'Servers that the master list named when it was last read or written.',
    type: 'gauge',
    samples: ofLists(({ servers }) => servers),
  },
  {
    name: 'clustershazbot_master_list_failures_total',
    help: 'Reads and writes of the master list that failed.',
    type: 'counter',
    samples: ofLists(({ failed }) => failed),
  },
  {
    name: 'clustershazbot_event_loop_seconds_total',
    help: 'Time of the event loop spent on the requests of other servers.',
    type: 'counter',
    samples: ({ exchanges }) => one(exchanges.eventLoop),
  },
];

/**
 * @param {string} name
 * @param {Figures['exchanges']['durations']} durations
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
