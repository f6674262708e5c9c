'use strict';

// Compares the simulated results with the targets.

const { SHORT, v1, v1WithList } = require('./plan.js');
const { count, figure, markdown } = require('../shared/text.js');
const { V1_LIMIT, seconds } = require('./text.js');

/** @typedef {import('./simulator.js').Kind} Kind */
/** @typedef {import('./simulator.js').Report} Report */
/** @typedef {import('./simulator.js').Result} Result */
/** @typedef {InstanceType<typeof import('./simulator.js').Results>} Results */
/**
 * @typedef {object} Timed a target for a time
 * @property {string} what
 * @property {Kind} kind
 * @property {number[]} sizes
 * @property {{ p50?: number, p99?: number, max?: number }} target in s
 * @property {Kind} [v1]
 */
/**
 * @typedef {object} Counted a target for another value
 * @property {string} what
 * @property {Kind} kind
 * @property {number[]} sizes
 * @property {(report: Report) => number | null | undefined} figure
 * @property {number} most the target
 * @property {string} unit
 * @property {Kind} [v1]
 */

const KILLED = { p50: 1, p99: 2 };

/** @type {Timed[]} */
const TIMED = [
  { what: 'killed', kind: { scenario: 'crash' }, sizes: [10, 100, 1000, 10_000], target: KILLED, v1: v1('crash') },
  { what: 'hung', kind: { scenario: 'hang' }, sizes: [100, 1000], target: { p99: 40 }, v1: v1('hang') },
  {
    what: 'host gone without a word',
    kind: { scenario: 'gone' },
    sizes: [100, 1000],
    target: { p99: 20 },
    v1: v1('gone'),
  },
  {
    what: 'event loop blocked for ever',
    kind: { scenario: 'blocked' },
    sizes: [100],
    target: { p99: 60 },
    v1: v1('blocked'),
  },
  ...[
    { scenario: 'crash', what: 'killed', most: 1 },
    { scenario: 'leave', what: 'left', most: 0.1 },
    { scenario: 'hang', what: 'hung', most: 10 },
  ].map(({ scenario, what, most }) => ({
    what: `${what}, interval ${SHORT} s`,
    kind: { scenario, interval: SHORT },
    sizes: [12],
    target: { p50: most },
    v1: v1(scenario, { interval: SHORT }),
  })),
  { what: 'joins', kind: { scenario: 'join' }, sizes: [100], target: { p99: 1 }, v1: v1WithList('join') },
  { what: 'leaves', kind: { scenario: 'leave' }, sizes: [100], target: { p99: 1 }, v1: v1('leave') },
  { what: 'leaves', kind: { scenario: 'leave' }, sizes: [10_000], target: { p99: 1.5 } },
  { what: 'is drained', kind: { scenario: 'drain' }, sizes: [100], target: { p99: 1 }, v1: v1('drain') },
  { what: 'denies its death', kind: { scenario: 'refute' }, sizes: [100], target: { p99: 1 }, v1: v1('refute') },
  {
    what: 'half cut off for an hour',
    kind: { scenario: 'partition' },
    sizes: [4, 10, 100],
    target: { max: 35 },
    v1: v1('partition'),
  },
  {
    what: 'the same, clocks ±1 h',
    kind: { scenario: 'partition', skew: true },
    sizes: [4, 10, 100],
    target: { max: 35 },
  },
  {
    what: 'killed, clocks ±1 h and stepping',
    kind: { scenario: 'skew' },
    sizes: [100],
    target: { p99: 2 },
    v1: v1('skew'),
  },
  { what: 'all restarted at once', kind: { scenario: 'restart-all' }, sizes: [1000], target: { max: 40 } },
];

/** @param {string} name @param {keyof import('./simulator.js').Spread} which */
const extra = (name, which) => (/** @type {Report} */ report) => report.extra[name]?.[which];
const bytes = (/** @type {Report} */ report) => report.bytesPerServerAndSecond;

/** @type {Counted[]} */
const COUNTED = [
  {
    what: 'wrong revivals of a killed server, most of any seed',
    kind: { scenario: 'crash' },
    sizes: [100],
    figure: extra('revivals', 'max'),
    most: 0,
    unit: '',
    v1: v1('crash'),
  },
  {
    what: 'live servers listed offline on their own side after a partition, most of any seed',
    kind: { scenario: 'partition' },
    sizes: [4, 10, 100],
    figure: extra('own_side', 'max'),
    most: 0,
    unit: '',
    v1: v1('partition'),
  },
  {
    what: 'flips of a server that cannot be reached, most of any seed',
    kind: { scenario: 'unreachable' },
    sizes: [10, 100],
    figure: extra('flips_per_hour', 'max'),
    most: 2,
    unit: ' an hour',
    v1: v1WithList('unreachable'),
  },
  ...[
    { seconds: 10, kind: { scenario: 'stall' }, sizes: [10, 100] },
    { seconds: 5, kind: { scenario: 'stall', interval: SHORT }, sizes: [12] },
  ].map(({ seconds, kind, sizes }) => ({
    what: `event loop blocked for ${seconds} s${kind.interval ? `, interval ${SHORT} s` : ''}: called dead by anybody`,
    kind,
    sizes,
    figure: (/** @type {Report} */ report) => 100 * (extra('called_dead', 'mean')(report) ?? 0),
    most: 1,
    unit: ' % of runs',
    v1: v1('stall', kind.interval ? { interval: kind.interval } : {}),
  })),
  .../** @type {[Kind, number, Kind | undefined][]} */ ([
    [{ scenario: 'loss', loss: 0.2 }, 100, v1('loss', { loss: 0.2 })],
    [{ scenario: 'loss' }, 1000, undefined],
  ]).flatMap(([kind, n, v1]) => [
    {
      what: '20 % of exchanges lost: live servers called offline',
      kind,
      sizes: [n],
      figure: extra('false_deaths_per_hour', 'mean'),
      most: 0.1,
      unit: ' an hour',
      v1,
    },
    { what: 'the same: bytes by server', kind, sizes: [n], figure: bytes, most: 1000, unit: ' a second', v1 },
  ]),
  {
    what: 'age of `lastUpdate`, p99 of all pairs',
    kind: { scenario: 'age' },
    sizes: [100],
    figure: extra('age_p99', 'max'),
    most: 8,
    unit: ' intervals',
    v1: v1('age'),
  },
  {
    what: 'all restarted at once: messages by server in the busiest second',
    kind: { scenario: 'restart-all' },
    sizes: [1000],
    figure: extra('peak', 'max'),
    most: 20,
    unit: '',
  },
  {
    what: 'clocks stepping: live servers called offline, most of any seed',
    kind: { scenario: 'skew' },
    sizes: [100],
    figure: extra('false_deaths', 'max'),
    most: 0,
    unit: '',
    v1: v1('skew'),
  },
  {
    what: 'exchanges by server until all know that one left',
    kind: { scenario: 'leave' },
    sizes: [10_000],
    figure: (report) => report.pushesPerServer.mean,
    most: 8,
    unit: '',
  },
  {
    what: 'idle: bytes by server',
    kind: { scenario: 'idle' },
    sizes: [1000],
    figure: bytes,
    most: 300,
    unit: ' a second',
  },
  {
    what: 'idle: largest body',
    kind: { scenario: 'idle' },
    sizes: [1000],
    figure: extra('largest_body', 'max'),
    most: 90_000,
    unit: ' bytes',
  },
];

/**
 * Both tables, and the number of missed targets.
 *
 * @param {Results} results
 */
function targets(results) {
  const rows = TIMED.flatMap((row) => row.sizes.flatMap((n) => timed(results, row, n)));
  const others = COUNTED.flatMap((row) => row.sizes.flatMap((n) => counted(results, row, n)));
  return {
    timed: markdown(
      ['event', 'servers', 'seeds', 'target', 'p50', 'p99', 'max', 'v1 p50', 'v1 p99', 'v1/ours, p50'],
      rows,
    ),
    counted: markdown(['what', 'servers', 'seeds', 'target', 'ours', 'v1'], others),
    missed: [...rows, ...others].filter((cells) => cells.some((cell) => cell.startsWith('**'))).length,
    all: rows.length + others.length,
  };
}

/** @param {Results} results @param {Timed} row @param {number} n @returns {string[][]} */
function timed(results, row, n) {
  const ours = results.at(row.kind, n);
  const theirs = row.v1 && results.at(row.v1, n);
  if (!ours) return [];
  const bounds = /** @type {const} */ (['p50', 'p99', 'max']).flatMap((name) => {
    const most = row.target[name];
    return most === undefined ? [] : [`${name} ≤ ${most} s`];
  });
  const cell = (/** @type {'p50' | 'p99' | 'max'} */ name) => {
    const value = ours.report.seconds?.[name];
    const holds = (value ?? Number.POSITIVE_INFINITY) <= (row.target[name] ?? Number.POSITIVE_INFINITY);
    return emphasised(seconds(value, row.kind), holds);
  };
  return [
    [
      row.what,
      count(n),
      String(ours.run.seeds),
      bounds.join(', '),
      cell('p50'),
      cell('p99'),
      cell('max'),
      theirs ? seconds(theirs.report.seconds?.p50, theirs.run.kind) : '–',
      theirs ? seconds(theirs.report.seconds?.p99, theirs.run.kind) : '–',
      theirs ? ratio(ours, theirs) : '–',
    ],
  ];
}

/** @param {Result} ours @param {Result} theirs */
function ratio(ours, theirs) {
  const [our, their] = [ours, theirs].map(({ report }) => report.seconds?.p50);
  if (typeof our !== 'number') return '–';
  const rounded = (/** @type {number} */ value) => figure(Number(value.toPrecision(2)));
  return typeof their === 'number' ? rounded(their / our) : `> ${rounded(V1_LIMIT / our)}`;
}

/** @param {Results} results @param {Counted} row @param {number} n @returns {string[][]} */
function counted(results, row, n) {
  const ours = results.at(row.kind, n);
  const theirs = row.v1 && results.at(row.v1, n);
  if (!ours) return [];
  const value = row.figure(ours.report) ?? Number.POSITIVE_INFINITY;
  return [
    [
      row.what,
      count(n),
      String(ours.run.seeds),
      `${row.most === 0 ? '0' : `≤ ${figure(row.most)}`}${row.unit}`,
      emphasised(figure(value), value <= row.most),
      theirs ? figure(row.figure(theirs.report) ?? Number.NaN) : '–',
    ],
  ];
}

/** @param {string} text @param {boolean} holds */
const emphasised = (text, holds) => (holds ? text : `**${text}**`);

module.exports = { targets };
