'use strict';

// Measures the CPU time of operations on a machine that runs other programs as well.

const { existsSync, readFileSync } = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');

const { median } = require('../../shared/statistics.js');

/**
 * Messages to one engine in a second: a third of what it handles of version 1 servers, and of servers that have never answered
 * it. src/protocol/admission.rs has the limits; they start half used up.
 */
const PER_SECOND = 500 / 3;

// Linux counts the time each thread ran on a core, in ns.
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;

/** Whether the system counts the CPU time of a single thread. */
const isOnCore = existsSync(SCHEDSTAT);

/** CPU time of the event loop's thread, µs; wall-clock time on systems that do not count it. */
function threadTime() {
  if (!isOnCore) return performance.now() * 1000;
  // Makes the kernel update its count, which it otherwise does a few hundred times a second.
  process.cpuUsage();
  return Number.parseInt(readFileSync(SCHEDSTAT, 'latin1'), 10) / 1000;
}

/**
 * @typedef {object} Time of one operation, µs
 * @property {number} eventLoop that the event loop was busy
 * @property {number} cpu of all threads of the process
 */
/**
 * @template T
 * @typedef {object} Work
 * @property {number} count operations in a round
 * @property {(count: number) => T[] | Promise<T[]>} [prepare] makes the input of each; not measured
 * @property {(given: T) => unknown} [before] runs before each; not measured
 * @property {(given: T) => unknown} run
 * @property {(last: unknown) => void} [verify] checks the result of the last operation
 */

/** Takes only the time of reading the clocks. @type {Work<any>} */
const NOTHING = { count: 20, prepare: (count) => new Array(count).fill(0), before: () => {}, run: () => {} };

/**
 * @template T
 * @param {Work<T>} work
 * @returns {Promise<Time & { readings: number }>} of all operations; `readings`: how often the clocks were read
 */
async function round({ count, prepare = (n) => new Array(n), before, run, verify }) {
  const given = await prepare(count);
  const spans = before ? given.map((one) => [one]) : [given];
  const took = { eventLoop: 0, cpu: 0, readings: spans.length };
  let last;
  for (const span of spans) {
    if (before) await before(/** @type {T} */ (span[0]));
    // The first reading after other code takes longer than the next one.
    threadTime();
    const cpu = process.cpuUsage();
    const eventLoop = threadTime();
    for (const one of span) {
      const outcome = run(one);
      // No await for a synchronous operation: it would add a turn of the microtask queue.
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
 * Measures several operations in turn, so that other load on the machine affects all of them. The order is random,
 * because an operation may pay for the garbage of the one before it.
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
  // The first two rounds do not count: V8 compiles the code.
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

/**
 * @param {Time[]} times
 * @returns {Time}
 */
const typical = (times) => ({
  eventLoop: median(times.map(({ eventLoop }) => eventLoop)),
  cpu: median(times.map(({ cpu }) => cpu)),
});

/** Delays messages so that the engine refuses none. */
function quota() {
  let since = 0;
  let used = 0;
  return async (/** @type {number} */ count) => {
    const left = since + 1_100 - performance.now();
    if (left > 0 && used + count > PER_SECOND) await sleep(left);
    if (performance.now() - since >= 1_100) {
      since = performance.now();
      used = 0;
    }
    used += count;
  };
}

module.exports = { interleave, isOnCore, quota, shuffled, threadTime, typical };
