'use strict';

// Lists the scenarios to simulate, with sizes and numbers of seeds. All of them take about twelve minutes on two cores; one
// run with 10 000 servers takes more than a minute and 16 GB of memory.

/** @typedef {import('./simulator.js').Kind} Kind */
/** @typedef {import('./simulator.js').Run} Run */

// Without the master list, with which version 1 never settles: each announce brings dead servers back.
/** @param {string} scenario @param {Partial<Kind>} [more] @returns {Kind} */
const v1 = (scenario, more) => ({ scenario, v1: true, list: false, ...more });
// For scenarios that start servers, which need the list to find the others.
/** @param {string} scenario @returns {Kind} */
const v1WithList = (scenario) => ({ scenario, v1: true });

// The loss for which there is a target.
const TARGET_LOSS = 0.2;
const LOSSES = [0, 0.05, 0.1, 0.2, 0.3, 0.4];
// The other interval for which there are targets, s.
const SHORT = 2;

/** @type {[kind: Kind, sizes: Record<number, number>][]} `sizes`: the number of seeds by number of servers. */
const FULL = [
  [{ scenario: 'crash' }, { 3: 300, 10: 1000, 30: 300, 100: 300, 300: 50, 1000: 300, 3000: 2, 10000: 2 }],
  [v1('crash'), { 3: 100, 10: 100, 30: 100, 100: 100, 300: 8 }],
  [{ scenario: 'hang' }, { 3: 100, 10: 100, 30: 100, 100: 100, 300: 20, 1000: 10, 3000: 2 }],
  [v1('hang'), { 100: 50 }],
  [{ scenario: 'gone' }, { 100: 100, 1000: 20 }],
  [v1('gone'), { 100: 50 }],
  [{ scenario: 'blocked' }, { 100: 50 }],
  [v1('blocked'), { 100: 50 }],
  [{ scenario: 'join' }, { 3: 100, 10: 100, 30: 100, 100: 100, 300: 10, 1000: 4, 3000: 2 }],
  [v1WithList('join'), { 100: 50 }],
  [{ scenario: 'leave' }, { 3: 100, 10: 100, 30: 100, 100: 100, 300: 10, 1000: 4, 3000: 2, 10000: 1 }],
  [v1('leave'), { 100: 50 }],
  [{ scenario: 'drain' }, { 3: 100, 10: 100, 30: 100, 100: 50, 300: 10, 1000: 4, 3000: 1 }],
  [v1('drain'), { 100: 20 }],
  [{ scenario: 'refute' }, { 3: 100, 10: 100, 30: 100, 100: 100, 300: 10, 1000: 4, 3000: 1 }],
  [v1('refute'), { 100: 50 }],
  [{ scenario: 'crash', interval: SHORT }, { 12: 100 }],
  [v1('crash', { interval: SHORT }), { 12: 100 }],
  [{ scenario: 'leave', interval: SHORT }, { 12: 100 }],
  [v1('leave', { interval: SHORT }), { 12: 100 }],
  [{ scenario: 'hang', interval: SHORT }, { 12: 100 }],
  [v1('hang', { interval: SHORT }), { 12: 100 }],
  [{ scenario: 'partition' }, { 4: 30, 10: 30, 30: 30, 100: 10, 300: 2 }],
  [
    { scenario: 'partition', skew: true },
    { 4: 30, 10: 30, 30: 30, 100: 10, 300: 2 },
  ],
  [v1('partition'), { 4: 20, 10: 20, 30: 20, 100: 20, 300: 4 }],
  ...LOSSES.flatMap((loss) => {
    const sizes = { 100: loss === TARGET_LOSS ? 4 : 2 };
    return /** @type {[Kind, Record<number, number>][]} */ ([
      [{ scenario: 'loss', loss }, sizes],
      [v1('loss', { loss }), sizes],
    ]);
  }),
  [{ scenario: 'loss' }, { 1000: 1 }],
  [{ scenario: 'idle' }, { 3: 4, 10: 4, 30: 4, 100: 4, 300: 2, 1000: 2, 3000: 1 }],
  [v1('idle'), { 3: 4, 10: 4, 30: 4, 100: 4, 300: 2 }],
  [{ scenario: 'unreachable' }, { 10: 10, 100: 2 }],
  [v1WithList('unreachable'), { 10: 10, 100: 2 }],
  [{ scenario: 'stall' }, { 10: 100, 100: 100 }],
  [v1('stall'), { 10: 100, 100: 100 }],
  [{ scenario: 'stall', interval: SHORT }, { 12: 100 }],
  [v1('stall', { interval: SHORT }), { 12: 100 }],
  [{ scenario: 'age' }, { 100: 2 }],
  [v1('age'), { 100: 2 }],
  [{ scenario: 'skew' }, { 100: 50 }],
  [v1('skew'), { 100: 20 }],
  [{ scenario: 'restart-all' }, { 1000: 2 }],
];

// Scenarios that simulate hours.
const LONG = ['loss', 'partition', 'unreachable'];

/**
 * The runs, ordered by the number of servers.
 *
 * @param {{ quick?: boolean, upTo?: number }} options
 * @returns {Run[]}
 */
function plan({ quick = false, upTo = Number.POSITIVE_INFINITY }) {
  const runs = FULL.flatMap(([kind, sizes]) =>
    Object.entries(sizes).map(([n, seeds]) => ({ kind, n: Number(n), seeds })),
  ).filter(({ n }) => n <= upTo);
  return (quick ? runs.flatMap(quickly) : runs).sort((a, b) => a.n - b.n);
}

/** @param {Run} run @returns {Run[]} */
function quickly({ kind, n, seeds }) {
  if (n > 100) return [];
  const size = LONG.includes(kind.scenario) ? Math.min(n, 10) : n;
  // The smaller run may already be in the plan.
  return size < n && kind.scenario !== 'loss' ? [] : [{ kind, n: size, seeds: Math.min(seeds, 2) }];
}

module.exports = { LOSSES, SHORT, plan, v1, v1WithList };
