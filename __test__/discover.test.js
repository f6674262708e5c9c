'use strict';

// What the package does if the program's `discover` function does not answer.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { setImmediate } = require('node:timers/promises');

const TIMEOUT_MS = 10_000;

test('a call of discover that does not end in time is aborted, and the function is called again', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  // Loaded after the timers are mocked.
  const { Discovery } = require('../lib/discovery.js');
  /** @type {AbortSignal[]} */
  const signals = [];
  /** @type {((urls: string[]) => void)[]} */
  const answers = [];
  const discover = (/** @type {{ signal: any }} */ { signal }) => {
    signals.push(signal);
    return /** @type {Promise<string[]>} */ (new Promise((resolve) => answers.push(resolve)));
  };
  /** @type {string[]} */
  const warnings = [];
  const warn = (/** @type {string} */ _, /** @type {string} */ text) => void warnings.push(text);
  const discovery = new Discovery(discover, /** @type {any} */ ({ warn, end: () => warnings.push('ended') }));

  for (const calls of [1, 2]) {
    const late = assert.rejects(discovery.find(), /it has not answered for 10 s/);
    await setImmediate();
    assert.deepEqual([signals.length, signals[calls - 1]?.aborted], [calls, false]);
    t.mock.timers.tick(TIMEOUT_MS);
    await late;
    assert.equal(signals[calls - 1]?.aborted, true);
  }
  // Each call may hold a connection of the program.
  await assert.rejects(discovery.find(), /2 calls have not ended/);
  assert.equal(signals.length, 2);

  answers[0]?.(['http://too-late/']);
  await setImmediate();
  const found = discovery.find();
  answers[2]?.(['http://a/']);
  assert.deepEqual(await found, ['http://a/']);
  assert.equal(signals[2]?.aborted, false);
  assert.equal(warnings.at(-1), 'ended');
});
