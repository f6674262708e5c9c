'use strict';

// The targets: what the package may cost, and whether the results meet them.

const { OUTBOUND, REQUIRE } = require('./measure.js');
const { count, figure } = require('../../shared/text.js');
const { ratioOf, spread } = require('./rows.js');

/** @typedef {import('./measure.js').Results} Results */
/**
 * @typedef {object} Target
 * @property {string} what
 * @property {string} target
 * @property {number} most
 * @property {(results: Results) => number | undefined} value undefined if it was not measured
 * @property {(value: number, results: Results) => string} show
 * @property {string} [limit] the reason why it is not lower
 */
/** @typedef {{ what: string, target: string, value: number, shown: string, met: boolean, limit?: string }} Outcome */

/** The number of servers for which most targets are given. */
const N = 1_000;
const LARGEST = 10_000;
/** Exchanges of one server in an interval: it starts three, and answers three. */
const EXCHANGES = 6;
const INTERVAL = 30;

/**
 * @param {Results} results
 * @param {string} what
 * @param {number} [n]
 */
const row = (results, what, n) => results.rows.find((one) => one.what === what && one.n === n);

/**
 * Event-loop time of one row divided by version 1's.
 *
 * @param {string} what
 * @param {(ratio: number) => string} show
 * @returns {Pick<Target, 'value' | 'show'>}
 */
const ratio = (what, show) => ({
  value(results) {
    const found = row(results, what, N);
    return found && ratioOf(found);
  },
  show: (value, results) => `${show(value)}${spread(row(results, what, N), show)}`,
});

/**
 * A target for any size can only be judged if the largest size was measured.
 *
 * @template {{ n?: number }} T
 * @param {T[]} all
 * @param {(one: T) => number} value
 */
function greatest(all, value) {
  return all.some(({ n }) => n === LARGEST) ? Math.max(...all.map(value)) : undefined;
}

/** Idle gossip in bytes a second, counted on the sockets. @param {Results} results */
const idle = ({ rows }) =>
  greatest(
    rows.filter(({ what }) => what === OUTBOUND),
    ({ ours }) => ((ours.bytes ?? 0) * EXCHANGES) / INTERVAL,
  );

const times = (/** @type {number} */ value) => `${figure(value)} ×`;
const megabytes = (/** @type {number} */ value) => `${figure(value / 1e6)} MB`;
const bytes = (/** @type {number} */ value) => `${count(Math.round(value))} bytes`;
const part = (/** @type {number} */ value) => `1/${figure(1 / value)}`;

/** @type {Target[]} */
const TARGETS = [
  {
    what: 'idle gossip bytes sent and received by one server, per second, headers included',
    target: '≤ 300, at any N to 10 000',
    most: 300,
    value(results) {
      const counted = idle(results);
      return counted && Math.max(counted, results.simulated ?? 0);
    },
    show: (_, results) => `${figure(idle(results) ?? 0)} on the sockets, ${figure(results.simulated ?? 0)} simulated`,
  },
  {
    what: 'largest body sent, to a server of ours',
    target: '≤ 90 kB, at any N to 10 000',
    most: 90_000,
    value: ({ bodies }) => greatest(bodies, ({ ours }) => ours),
    show: bytes,
  },
  {
    what: 'largest body sent, to a version 1 server',
    target: '≤ 90 kB, at any N to 10 000',
    most: 90_000,
    value: ({ bodies }) => greatest(bodies, ({ v1 }) => v1),
    show: bytes,
  },
  {
    what: 'event-loop time of one inbound exchange between ours, parse and stringify included, N=1 000',
    target: '≤ 1/30',
    most: 1 / 30,
    ...ratio('inbound exchange between ours', part),
  },
  {
    what: "the same with a v1 peer's full message, N=1 000",
    target: '≤ 1.4 ×',
    most: 1.4,
    limit: 'it matters during an upgrade only',
    ...ratio('inbound exchange with a version 1 peer', times),
  },
  {
    what: 'event-loop time of one outbound exchange',
    target: 'not measurable, and no call of the engine, at any N to 10 000',
    most: 0,
    value: ({ rows, outbound }) =>
      outbound.some(({ calls }) => calls > 0)
        ? Number.POSITIVE_INFINITY
        : greatest(
            rows.filter(({ what }) => what === OUTBOUND),
            ({ ours }) => ours.eventLoop - (ours.floor ?? 0),
          ),
    show(value, { rows }) {
      if (value === Number.POSITIVE_INFINITY) return 'the engine calls';
      const floor = Math.max(...rows.map(({ ours }) => ours.floor ?? 0));
      return value > 0 ? `${figure(value)} µs more than that` : `< ${figure(floor)} µs`;
    },
  },
  {
    what: '`shazbotListRequest` after news, with `JSON.stringify` of the result, N=1 000',
    target: '≤ 1.1 ×',
    most: 1.1,
    ...ratio('shazbotListRequest, after news', times),
  },
  {
    what: '`shazbotGetServerList` with `JSON.stringify` of the result, N=1 000',
    target: '≤ 1.1 ×',
    most: 1.1,
    ...ratio('shazbotGetServerList', times),
  },
  {
    what: '`shazbotOwner` and `shazbotPick`, N=1 000',
    target: '≤ 5 µs',
    most: 5,
    value(results) {
      const found = ['shazbotOwner', 'shazbotPick'].map((what) => row(results, what, N)?.ours.eventLoop);
      return found.some((it) => it === undefined) ? undefined : Math.max(...found.map(Number));
    },
    show: (value) => `${figure(value)} µs`,
  },
  {
    what: 'memory over a bare Express program, N=10 000',
    target: '≤ version 1 in the same run',
    most: 1,
    value({ memory }) {
      const found = memory.find(({ n }) => n === LARGEST);
      return found && (found.ours - found.bare) / (found.baseline - found.bareFull);
    },
    show(_, { memory }) {
      const found = memory.find(({ n }) => n === LARGEST);
      return found
        ? `${megabytes(found.ours - found.bare)}, version 1 ${megabytes(found.baseline - found.bareFull)}`
        : '';
    },
  },
  { what: 'the binary, stripped', target: '≤ 4.5 MB', most: 4.5e6, value: ({ binary }) => binary, show: megabytes },
  {
    what: "`require('clustershazbot')`, time as it passes",
    target: '≤ 10 ms',
    most: 10_000,
    value: (results) => row(results, REQUIRE)?.ours.elapsed,
    show: (value) => `${figure(value / 1000)} ms`,
  },
];

/**
 * The targets that were measured.
 *
 * @param {Results} results
 * @returns {Outcome[]}
 */
function outcomes(results) {
  return TARGETS.flatMap(({ what, target, most, value, show, limit }) => {
    const found = value(results);
    return found === undefined
      ? []
      : [{ what, target, value: found, shown: show(found, results), met: found <= most, limit }];
  });
}

module.exports = { outcomes };
