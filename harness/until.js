'use strict';

// Waits for a condition with a deadline.

const { inspect } = require('node:util');
const { setTimeout: sleep } = require('node:timers/promises');

/**
 * Polls `check` until it returns a truthy value, and returns that value. An error counts as "not yet". Fails after
 * `timeout` ms, and shows the last value or error.
 *
 * @template T
 * @param {() => T | Promise<T>} check
 * @param {{ timeout?: number, every?: number, what?: string }} [options] in ms; `what` names the condition in the error
 * @returns {Promise<Exclude<T, false | null | undefined | 0 | ''>>}
 */
async function until(check, { timeout = 20_000, every = 50, what = 'the condition' } = {}) {
  const deadline = Date.now() + timeout;
  const late = Symbol('late');
  /** @type {unknown} */
  let seen = 'nothing: the first check did not end';
  for (;;) {
    const left = Math.max(deadline - Date.now(), 0);
    const abort = new AbortController();
    try {
      // A check that hangs must not outlive the deadline.
      const value = await Promise.race([
        Promise.resolve().then(check),
        sleep(left + 1, late, { signal: abort.signal }).catch(() => late),
      ]);
      if (value !== late) {
        if (value) return /** @type {any} */ (value);
        seen = value;
      }
    } catch (error) {
      seen = error;
    } finally {
      abort.abort();
    }
    if (Date.now() >= deadline) {
      throw new Error(`after ${timeout} ms, not yet: ${what}; last seen: ${inspect(seen, { depth: 6 })}`, {
        cause: seen,
      });
    }
    await sleep(every);
  }
}

module.exports = { until };
