'use strict';

// How much time something takes, on a machine that does other things too.

const { existsSync, readFileSync } = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');

/** More gossip messages in a second are refused. */
const PER_SECOND = 1_000;

// Linux counts the time for which each thread had a core, in ns.
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;

/** Whether the system tells for how long a thread has had a core. */
const isOnCore = existsSync(SCHEDSTAT);

/** The time for which the thread of the event loop has had a core, µs. Where the system does not tell, time as it passes. */
function threadTime() {
  if (!isOnCore) return performance.now() * 1000;
  // Brings the count up to date: without it, that is done a few hundred times a second.
  process.cpuUsage();
  return Number.parseInt(readFileSync(SCHEDSTAT, 'latin1'), 10) / 1000;
}

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
 * @property {(given: T) => unknown} [before] comes before each; not measured
 * @property {(given: T) => unknown} run
 * @property {(last: unknown) => void} [verify] the outcome of the last
 */

/** Its time is that of reading the clocks. @type {Work<any>} */
const NOTHING = { count: 20, prepare: (count) => new Array(count).fill(0), before: () => {}, run: () => {} };

/**
 * @template T
 * @param {Work<T>} work
 * @returns {Promise<Time & { readings: number }>} of all of it, with how often the clocks were read
 */
async function round({ count, prepare = (n) => new Array(n), before, run, verify }) {
  const given = await prepare(count);
  const spans = before ? given.map((one) => [one]) : [given];
  const took = { eventLoop: 0, cpu: 0, readings: spans.length };
  let last;
  for (const span of spans) {
    if (before) await before(/** @type {T} */ (span[0]));
    // Reading a clock takes longer after something else than after itself.
    threadTime();
    const cpu = process.cpuUsage();
    const eventLoop = threadTime();
    for (const one of span) {
      const outcome = run(one);
      // What is synchronous for its caller costs no turn of the microtasks.
      last = outcome instanceof Promise ? await outcome : outcome;
    }
    took.eventLoop += threadTime() - eventLoop;
    const { user, system } = process.cpuUsage(cpu);
    took.cpu += user + system;
  }
  verify?.(last);
  return took;
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
  /** @type {Record<string, Awaited<ReturnType<typeof round>>[]>} */
  const found = Object.fromEntries(Object.keys(works).map((name) => [name, []]));
  /** @type {Time[]} */
  const nothing = [];
  // The first ones compile.
  for (let n = -2; n < rounds; n++) {
    for (const [name, work] of shuffled(Object.entries(works))) {
      const reading = await round(NOTHING);
      const took = await round(work);
      if (n < 0) continue;
      nothing.push(reading);
      found[name]?.push(took);
    }
  }
  const reading = typical(nothing);
  /** @param {string} name @param {number} count @returns {Time[]} */
  const each = (name, count) =>
    (found[name] ?? []).map(({ eventLoop, cpu, readings }) => ({
      eventLoop: (eventLoop - (readings * reading.eventLoop) / NOTHING.count) / count,
      cpu: (cpu - (readings * reading.cpu) / NOTHING.count) / count,
    }));
  return Object.fromEntries(Object.entries(works).map(([name, { count }]) => [name, each(name, count)]));
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

/** Holds back what would be too much for a second, or of one of eight servers, whichever moments a second is counted between. */
function quota() {
  let since = 0;
  let used = 0;
  return async (/** @type {number} */ count) => {
    const left = since + 1_100 - performance.now();
    if (left > 0 && used + count > PER_SECOND / 3) await sleep(left);
    if (performance.now() - since >= 1_100) {
      since = performance.now();
      used = 0;
    }
    used += count;
  };
}

module.exports = { interleave, isOnCore, median, quota, shuffled, threadTime, typical };
