'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

/**
 * Holds `claim` to be true for a while: runs it again and again for `ms`, and fails with its first failure.
 * For claims that something does not happen.
 *
 * @param {number} ms
 * @param {() => unknown} claim throws or rejects where the claim is broken
 * @param {{ every?: number }} [options] in ms
 */
async function during(ms, claim, { every = 50 } = {}) {
  const end = Date.now() + ms;
  do {
    await claim();
    await sleep(every);
  } while (Date.now() < end);
  await claim();
}

module.exports = { during };
