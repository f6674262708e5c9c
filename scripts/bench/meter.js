'use strict';

// How much time something takes, on a machine that does other things too.

const { readFileSync } = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');

/** More gossip messages in a second are refused. */
const PER_SECOND = 1_000;

// Linux counts the time for which each thread had a core, in ns.
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;

/**
 * The time for which the thread of the event loop has had a core, µs. Where the system does not tell, time as it passes.
 */
const threadTime = (() => {
  const read = () => {
    // Brings the count up to date: without it, that is done a few hundred times a second.
    process.cpuUsage();
    return Number.parseInt(readFileSync(SCHEDSTAT, 'latin1'), 10) / 1000;
  };
  try {
    read();
    return read;
  } catch {
    return () => performance.now() * 1000;
  }
})();

/**
 * @typedef {object} Time of one operation, µs
 * @property {number} eventLoop for which the event loop did nothing else
 * @property {number} cpu of all threads of the process
 */
/**
 * @template T
 * @typedef {object} Work
 * @property {number} count operations in a round
 * @property {(count: number) => T[] | Promise<T[]>} [prepare] what they are given; not measured
 * @property {(given: T) => unknown} run
 * @property {(last: unknown) => void} [verify] the outcome of the last
 */

/**
 * @template T
 * @param {Work<T>} work
 * @returns {Promise<Time>}
 */
async function round({ count, prepare = (n) => new Array(n), run, verify }) {
  const given = await prepare(count);
  const cpu = process.cpuUsage();
  const eventLoop = threadTime();
  let last;
  for (const one of given) {
    const outcome = run(one);
    // What is synchronous for its caller costs no turn of the microtasks.
    last = outcome instanceof Promise ? await outcome : outcome;
  }
  const took = threadTime() - eventLoop;
  const { user, system } = process.cpuUsage(cpu);
  verify?.(last);
  return { eventLoop: took / count, cpu: (user + system) / count };
}

/**
 * Measures several things in turn, so that whatever disturbs the machine falls on all of them. In another order each
 * time, because garbage is collected on the account of whoever comes next.
 *
 * @param {Record<string, Work<any>>} works
 * @param {number} rounds
 * @returns {Promise<Record<string, Time[]>>} of each round
 */
async function interleave(works, rounds) {
  /** @type {Record<string, Time[]>} */
  const times = Object.fromEntries(Object.keys(works).map((name) => [name, []]));
  // The first ones compile.
  for (let n = -2; n < rounds; n++) {
    for (const [name, work] of shuffled(Object.entries(works))) {
      const time = await round(work);
      if (n >= 0) times[name]?.push(time);
    }
  }
  return times;
}

/** @template T @param {readonly T[]} list @returns {T[]} */
function shuffled(list) {
  const drawn = list.map((one) => ({ one, at: Math.random() }));
  return drawn.sort((a, b) => a.at - b.at).map(({ one }) => one);
}

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return /** @type {number} */ (sorted[Math.floor(sorted.length / 2)]);
}

/**
 * @param {Time[]} times
 * @returns {Time}
 */
const typical = (times) => ({
  eventLoop: median(times.map(({ eventLoop }) => eventLoop)),
  cpu: median(times.map(({ cpu }) => cpu)),
});

/** Holds back what would be too much for a second, whichever moments a second is counted between. */
function quota() {
  let since = 0;
  let used = 0;
  return async (/** @type {number} */ count) => {
    const left = since + 1_100 - performance.now();
    if (left > 0 && used + count > PER_SECOND / 2 - 50) await sleep(left);
    if (performance.now() - since >= 1_100) {
      since = performance.now();
      used = 0;
    }
    used += count;
  };
}

module.exports = { interleave, median, quota, shuffled, threadTime, typical };
