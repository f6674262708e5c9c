'use strict';

const { performance } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');

/**
 * Acts so many times a second, each time at a random moment of its turn, lest two such rows keep step. It waits for
 * nothing that it has begun: whoever is slow is not spared what comes next.
 *
 * @template T
 * @param {number} rate
 * @param {number} ms for how long
 * @param {(due: number) => Promise<T>} act gets the moment it was due, by `performance.now()`; it may be late
 * @returns {Promise<T[]>}
 */
async function steadily(rate, ms, act) {
  const turn = 1000 / rate;
  const since = performance.now();
  const begun = [];
  for (let from = 0; from < ms; from += turn) {
    const due = since + from + Math.random() * turn;
    const wait = Math.ceil(due - performance.now());
    if (wait > 0) await sleep(wait);
    begun.push(act(due));
  }
  return Promise.all(begun);
}

module.exports = { steadily };
