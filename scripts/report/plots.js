'use strict';

// Draws the plots of docs/contributors/convergence.md, each with a table of its values and the commands that repeat its runs.

const { BLUE, GREEN, PURPLE, RED, decades, draw } = require('../shared/plot.js');
const { LOSSES, v1 } = require('./plan.js');
const { count, figure, markdown } = require('../shared/text.js');
const { V1_LIMIT, limitOf, seconds } = require('./text.js');
const { argumentsOf } = require('./simulator.js');

/** @typedef {import('./simulator.js').Kind} Kind */
/** @typedef {import('./simulator.js').Report} Report */
/** @typedef {import('./simulator.js').Result} Result */
/** @typedef {InstanceType<typeof import('./simulator.js').Results>} Results */
/**
 * @typedef {object} Series
 * @property {string} name
 * @property {string} who the heading of its column of seeds
 * @property {string} color
 * @property {boolean} [dashed]
 * @property {Result[]} results
 * @property {(result: Result) => number} x
 * @property {(report: Report) => number | null | undefined} y null: over the limit; undefined: not measured
 */
/**
 * @typedef {object} Figure
 * @property {string} name of the file, without its extension
 * @property {string} svg
 * @property {string} title
 * @property {string[]} commands
 * @property {string} table in Markdown
 */

// Percentiles of fewer seeds are rough, and drawn pale.
const FEW = 10;
const PALE = `Pale: fewer than ${FEW} seeds`;

// Cluster sizes in half decades.
const SIZES = [3, 10, 30, 100, 300, 1000, 3000, 10_000];
const SERVERS = { name: 'servers', min: 2.4, max: 12_500, ticks: SIZES, log: true, label: count };

/**
 * Two lines: the median and the 99th percentile.
 *
 * @param {Results} results
 * @param {Kind} kind
 * @param {string} who
 * @param {string} color
 * @returns {Series[]}
 */
function percentiles(results, kind, who, color) {
  const of = { who, color, results: results.of(kind), x: servers };
  return [
    { ...of, name: `${who}, p50`, y: ({ seconds }) => seconds?.p50 },
    { ...of, name: `${who}, p99`, dashed: true, y: ({ seconds }) => seconds?.p99 },
  ];
}

/** @param {Result} result */
const servers = ({ run }) => run.n;

/**
 * @param {string} name
 * @param {Omit<import('../shared/plot.js').Plot, 'lines'>} plot
 * @param {Series[]} series
 * @param {(y: number | null | undefined, kind: Kind) => string} [cell]
 * @returns {Figure}
 */
function compose(name, plot, series, cell = seconds) {
  const there = series.filter(({ results }) => results.length > 0);
  const lines = there.map((it) => ({
    name: it.name,
    color: it.color,
    dashed: it.dashed,
    points: it.results.flatMap((result) => {
      const y = it.y(result.report);
      if (y === undefined) return [];
      const never = y === null;
      // A logarithmic axis has no zero; its lowest line stands for zero.
      const pale = cell === seconds && result.run.seeds < FEW;
      return { x: it.x(result), y: Math.max(y ?? limitOf(result.run.kind), plot.y.min), never, pale };
    }),
  }));
  const kinds = new Map(there.flatMap((it) => it.results.map(({ run }) => [command(run.kind), run.kind])));
  const commands = [...kinds.keys()];
  return { name, title: plot.title, svg: draw({ ...plot, lines }), commands, table: table(plot, there, cell) };
}

/** @param {Kind} kind */
const command = (kind) =>
  `npm run sim -- ${argumentsOf(kind.loss === undefined ? kind : { ...kind, loss: undefined }).join(' ')}${
    kind.loss === undefined ? '' : ' --loss SHARE'
  }`;

/**
 * @param {Omit<import('../shared/plot.js').Plot, 'lines'>} plot
 * @param {Series[]} series
 * @param {(y: number | null | undefined, kind: Kind) => string} cell
 */
function table({ x }, series, cell) {
  const positions = [...new Set(series.flatMap((it) => it.results.map(it.x)))].sort((a, b) => a - b);
  const groups = [...new Set(series.map(({ who }) => who))];
  const head = [x.name, ...groups.flatMap((who) => [`seeds, ${who}`, ...of(who).map(({ name }) => name)])];
  /** @param {string} who */
  function of(who) {
    return series.filter((it) => it.who === who);
  }
  const rows = positions.map((position) => [
    (x.label ?? String)(position),
    ...groups.flatMap((who) => {
      const found = of(who).map((it) => ({ it, result: it.results.find((one) => it.x(one) === position) }));
      const shown = found.map(({ it, result }) => (result ? cell(it.y(result.report), result.run.kind) : '–'));
      return [String(found[0]?.result?.run.seeds ?? '–'), ...shown];
    }),
  ]);
  return markdown(head, rows);
}

/** @param {Results} results */
const plots = (results) => [killed, said, hung, lost, healed, idle].map((make) => make(results));

/** Marks the limit of version 1, and what exceeds it. */
const GIVEN_UP = { y: V1_LIMIT, text: 'given up after 6 h; ▲ not within 6 h' };

/** @param {Results} results */
function killed(results) {
  return compose(
    'killed',
    {
      title: 'A server is killed: until all others know',
      subtitle: `Simulated time, interval 30 s. Version 1 without master list: with one it never settles. ${PALE}`,
      x: SERVERS,
      y: decades(0, 5, 'seconds until all know'),
      marks: [GIVEN_UP, { y: 25, text: 'target: p99 ≤ 25 s' }],
    },
    [
      ...percentiles(results, { scenario: 'crash' }, 'ours', BLUE),
      ...percentiles(results, v1('crash'), 'version 1', RED),
    ],
  );
}

/** @param {Results} results */
function said(results) {
  return compose(
    'said',
    {
      title: 'A server joins, leaves, is drained, or denies its death: until all know',
      subtitle: `Simulated time, interval 30 s, latency 1 to 50 ms. The 99th percentile. ${PALE}`,
      x: SERVERS,
      y: { name: 'seconds until all know, p99', min: 0, max: 1.75, ticks: [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5] },
      marks: [
        { y: 1, text: 'target: p99 ≤ 1 s at 100 servers', at: 'Start' },
        { y: 1.5, text: 'target: p99 ≤ 1.5 s at 10 000 servers' },
      ],
    },
    /** @type {const} */ ([
      ['join', BLUE],
      ['leave', RED],
      ['drain', GREEN],
      ['refute', PURPLE],
    ]).map(([scenario, color]) => {
      const y = (/** @type {Report} */ { seconds }) => seconds?.p99;
      // Dashed, because a drain is as fast as a leave and would hide its line.
      const dashed = scenario === 'drain';
      return { name: scenario, who: scenario, color, dashed, results: results.of({ scenario }), x: servers, y };
    }),
  );
}

/** @param {Results} results */
function hung(results) {
  return compose(
    'hung',
    {
      title: 'A server hangs: until all others know',
      subtitle: `Simulated time, interval 30 s. Connections are accepted, nothing answers. ${PALE}`,
      x: SERVERS,
      y: { name: 'seconds until all know', min: 0, max: 60, ticks: [0, 10, 20, 30, 40, 50, 60] },
      marks: [{ y: 45, text: 'target: p99 ≤ 45 s' }],
    },
    percentiles(results, { scenario: 'hang' }, 'ours', BLUE),
  );
}

/** @param {Results} results */
function lost(results) {
  const y = (/** @type {Report} */ { extra }) => extra.false_deaths_per_hour?.mean;
  const x = (/** @type {Result} */ { run }) => (run.kind.loss ?? 0) * 100;
  const of = (/** @type {(loss: number) => Kind} */ kind) => LOSSES.flatMap((loss) => results.of(kind(loss)));
  const ours = of((loss) => ({ scenario: 'loss', loss }));
  const n = ours[0]?.run.n ?? 0;
  const vertical = decades(-2, 4, `false deaths an hour, of ${n} servers`);
  return compose(
    'loss',
    {
      title: `Exchanges are lost: how many of ${n} live servers are called dead`,
      subtitle: 'Simulated time, interval 30 s, 4 h for each seed. The whole cluster together, on average',
      x: { name: 'exchanges lost, %', min: 0, max: 42, ticks: LOSSES.map((loss) => loss * 100) },
      y: { ...vertical, label: (value) => (value === vertical.min ? 'none' : figure(value)) },
      marks: [{ y: 0.1, text: 'target at 20 %: < 0.1', at: 'Middle' }],
    },
    [
      { name: 'ours', who: 'ours', color: BLUE, results: ours, x, y },
      { name: 'version 1', who: 'version 1', color: RED, results: of((loss) => v1('loss', { loss })), x, y },
    ],
    (value) => figure(value ?? 0),
  );
}

/** @param {Results} results */
function healed(results) {
  const of = { x: servers, y: (/** @type {Report} */ { seconds }) => seconds?.max };
  return compose(
    'partition',
    {
      title: 'A half is cut off from the other for an hour: until all lists are right again',
      subtitle: `Simulated time from the end of the cut, interval 30 s, no master list. The slowest seed. ${PALE}`,
      x: SERVERS,
      y: decades(0, 5, 'seconds from the end of the cut'),
      marks: [GIVEN_UP, { y: 35, text: 'target: ≤ 35 s' }],
    },
    [
      { ...of, name: 'ours', who: 'ours', color: BLUE, results: results.of({ scenario: 'partition' }) },
      {
        ...of,
        name: 'ours, clocks ±1 h',
        who: 'clocks ±1 h',
        color: GREEN,
        dashed: true,
        results: results.of({ scenario: 'partition', skew: true }),
      },
      { ...of, name: 'version 1', who: 'version 1', color: RED, results: results.of(v1('partition')) },
    ],
  );
}

/** @param {Results} results */
function idle(results) {
  const of = { x: servers, y: (/** @type {Report} */ report) => report.bytesPerServerAndSecond };
  return compose(
    'idle',
    {
      title: 'Nothing happens: what gossip costs a server',
      subtitle: 'Simulated. Sent and received, HTTP headers included; TLS, TCP and the master list not. Interval 30 s',
      x: SERVERS,
      y: decades(1, 4, 'bytes a second, of one server'),
      marks: [{ y: 300, text: 'target: ≤ 300 bytes a second' }],
    },
    [
      { ...of, name: 'ours', who: 'ours', color: BLUE, results: results.of({ scenario: 'idle' }) },
      { ...of, name: 'version 1', who: 'version 1', color: RED, results: results.of(v1('idle')) },
    ],
    (value) => figure(value ?? 0),
  );
}

module.exports = { plots };
