'use strict';

// Starts an action at a steady rate.

const { performance } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');

/**
 * Calls `act` `rate` times a second, at a random moment of each period, so that two such series do not keep in step.
 * Does not wait for earlier calls: a slow server gets the next request all the same.
 *
 * @template T
 * @param {number} rate
 * @param {number} ms for how long
 * @param {(due: number) => Promise<T>} act gets the time at which it was due, by `performance.now()`; it may start late
 * @returns {Promise<T[]>}
 */
async function steadily(rate, ms, act) {
  const period = 1000 / rate;
  const since = performance.now();
  const started = [];
  for (let from = 0; from < ms; from += period) {
    const due = since + from + Math.random() * period;
    const wait = Math.ceil(due - performance.now());
    if (wait > 0) await sleep(wait);
    started.push(act(due));
  }
  return Promise.all(started);
}

module.exports = { steadily };
