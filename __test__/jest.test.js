'use strict';

// The package in a Jest project: engines per test file, and nothing left running that keeps Jest from ending.

const assert = require('node:assert/strict');
const path = require('node:path');
const { describe, test } = require('node:test');

const { fileList } = require('../harness/cluster.js');
const { apps, runToEnd } = require('./support/programs.js');

const directory = path.join(apps, 'jest');
const manifest = require.resolve('jest/package.json', { paths: [directory] });
const jest = path.join(path.dirname(manifest), 'bin', 'jest.js');

describe('in Jest', () => {
  for (const [name, options] of /** @type {[string, string[]][]} */ ([
    ["in Jest's own process", ['--runInBand']],
    // Without a memory limit Jest runs so few tests in its own process.
    ['in one worker process', ['--maxWorkers=1', '--workerIdleMemoryLimit=4GB']],
    ['in one worker thread', ['--maxWorkers=1', '--workerIdleMemoryLimit=4GB', '--workerThreads']],
  ])) {
    test(`each test file has its own engine, environment and error classes, and Jest ends, ${name}`, async () => {
      const output = await run(options);
      assert.match(output, /Test Suites: 3 passed, 3 total/);
      assert.match(output, /Tests: +9 passed, 9 total/);
      assert.doesNotMatch(output, /did not exit|failed to exit gracefully|after it should/i);
    });
  }

  test('a test file that shuts down its engine leaves no open handle', async () => {
    const output = await run(['--runInBand', '--detectOpenHandles', 'first']);
    assert.match(output, /Test Suites: 1 passed, 1 total/);
    assert.doesNotMatch(output, /open handle/i);
  });
});

/**
 * Runs Jest until it ends with code 0, and returns its output.
 *
 * @param {string[]} options
 */
async function run(options) {
  const { code, signal, stdout, stderr } = await runToEnd([jest, '--no-color', ...options], {
    cwd: directory,
    env: { LISTS: fileList().directory, CI: 'true' },
    timeout: 60_000,
  });
  const output = stdout + stderr;
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, output);
  return output;
}
