'use strict';

// What the package may cost, and whether it keeps to it.

const { OUTBOUND, REQUIRE } = require('./measure.js');
const { count, figure } = require('../shared/text.js');

/** @typedef {import('./measure.js').Results} Results */
/**
 * @typedef {object} Target
 * @property {string} what
 * @property {string} target
 * @property {number} most
 * @property {(results: Results) => number | undefined} value undefined: it was not measured
 * @property {(value: number) => string} show
 * @property {string} [limit] what keeps it from being less
 */
/** @typedef {{ what: string, target: string, value: number, shown: string, met: boolean, limit?: string }} Outcome */

/** The size that most targets are for. */
const N = 1_000;
const LARGEST = 10_000;
/** Exchanges of one server in an interval of 30 s: it begins three, and as many come in. */
const EXCHANGES = 6;
const INTERVAL = 30;
/** What cannot be told from nothing, µs. */
const NOTHING = 20;

/**
 * @param {Results} results
 * @param {string} what
 * @param {number} [n]
 */
const row = (results, what, n) => results.rows.find((one) => one.what === what && one.n === n);

/** @param {string} what */
const ratio = (what) => (/** @type {Results} */ results) => {
  const found = row(results, what, N);
  return found && found.ours.eventLoop / found.baseline.eventLoop;
};

/** @param {(number | undefined)[]} values */
function greatest(values) {
  const known = values.filter((value) => value !== undefined);
  return known.length > 0 ? Math.max(...known) : undefined;
}

const times = (/** @type {number} */ value) => `${figure(value)} ×`;
const megabytes = (/** @type {number} */ value) => `${figure(value / 1e6)} MB`;
const bytes = (/** @type {number} */ value) => `${count(Math.round(value))} bytes`;
const µs = (/** @type {number} */ value) => `${figure(value)} µs`;

/** The list, in every way in which it is asked for. */
const isList = (/** @type {string} */ what) => /^shazbot(ListRequest|GetServerList)/.test(what);

/** @type {Target[]} */
const TARGETS = [
  {
    what: 'idle gossip bytes sent and received by one server, per second, headers included',
    target: '≤ 300, at any N to 10 000',
    most: 300,
    value: ({ rows }) =>
      greatest(
        rows.filter(({ what }) => what === OUTBOUND).map(({ ours }) => ((ours.bytes ?? 0) * EXCHANGES) / INTERVAL),
      ),
    show: (value) => figure(value),
  },
  {
    what: 'largest body sent, to a server of ours',
    target: '≤ 90 kB',
    most: 90_000,
    value: ({ bodies }) => greatest(bodies.map(({ ours }) => ours)),
    show: bytes,
  },
  {
    what: 'largest body sent, to a version 1 server',
    target: '≤ 90 kB',
    most: 90_000,
    value: ({ bodies }) => greatest(bodies.map(({ v1 }) => v1)),
    show: bytes,
  },
  {
    what: 'event-loop time of one inbound exchange between ours, parse and stringify included, N=1 000',
    target: '≤ 1/30',
    most: 1 / 30,
    value: ratio('inbound exchange between ours'),
    show: (value) => `1/${figure(1 / value)}`,
  },
  {
    what: "the same with a v1 peer's full message, N=1 000",
    target: '≤ 1.1 ×',
    most: 1.1,
    value: ratio('inbound exchange with a version 1 peer'),
    show: times,
    limit:
      'looking up every server of the message, by its text and by its hash, and packing it for the way across the boundary',
  },
  {
    what: 'event-loop time of one outbound exchange',
    target: `none: not one call of the engine, and ≤ ${NOTHING} µs, which is what can be told`,
    most: NOTHING,
    value: ({ rows, outbound }) =>
      outbound.some(({ calls }) => calls > 0)
        ? Number.POSITIVE_INFINITY
        : greatest(rows.filter(({ what }) => what === OUTBOUND).map(({ ours }) => ours.eventLoop)),
    show: µs,
  },
  {
    what: '`shazbotListRequest` and `shazbotGetServerList` with `JSON.stringify` of the result, N=1 000',
    target: '≤ 1.1 ×',
    most: 1.1,
    value: (results) =>
      greatest(results.rows.filter(({ what }) => isList(what)).map(({ what }) => ratio(what)(results))),
    show: times,
  },
  {
    what: 'memory over a bare Express program, N=10 000',
    target: '≤ 12 MB',
    most: 12e6,
    value({ memory }) {
      const found = memory.find(({ n }) => n === LARGEST);
      return found && found.ours - found.bare;
    },
    show: megabytes,
    limit: "a part that does not grow, mostly pages of the addon and of Node's own that loading it touches; see below",
  },
  { what: 'the binary, stripped', target: '≤ 4 MB', most: 4e6, value: ({ binary }) => binary, show: megabytes },
  {
    what: "`require('clustershazbot')`",
    target: '≤ 10 ms',
    most: 10_000,
    value: (results) => row(results, REQUIRE)?.ours.eventLoop,
    show: (value) => `${figure(value / 1000)} ms`,
  },
];

/**
 * Of those that were measured.
 *
 * @param {Results} results
 * @returns {Outcome[]}
 */
function outcomes(results) {
  return TARGETS.flatMap(({ what, target, most, value, show, limit }) => {
    const found = value(results);
    return found === undefined ? [] : [{ what, target, value: found, shown: show(found), met: found <= most, limit }];
  });
}

module.exports = { outcomes };
