'use strict';

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
    ['in the process of Jest itself', ['--runInBand']],
    // Without a limit of memory Jest makes no worker for so little.
    ['in one worker process', ['--maxWorkers=1', '--workerIdleMemoryLimit=4GB']],
    ['in one worker thread', ['--maxWorkers=1', '--workerIdleMemoryLimit=4GB', '--workerThreads']],
  ])) {
    test(`two test files have an engine, an environment and errors of their own, and Jest ends: ${name}`, async () => {
      const output = await run(options);
      assert.match(output, /Test Suites: 2 passed, 2 total/);
      assert.match(output, /Tests: +7 passed, 7 total/);
      assert.doesNotMatch(output, /did not exit|failed to exit gracefully|after it should/i);
    });
  }

  test('a test file that shuts its engine down leaves no open handle behind', async () => {
    const output = await run(['--runInBand', '--detectOpenHandles', 'first']);
    assert.match(output, /Test Suites: 1 passed, 1 total/);
    assert.doesNotMatch(output, /open handle/i);
  });
});

/**
 * What Jest printed, once it ended by itself with code 0.
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
