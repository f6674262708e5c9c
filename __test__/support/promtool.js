'use strict';

// Prometheus' own tool, which checks metrics, rules and configurations.

const { execFile, spawnSync } = require('node:child_process');
const path = require('node:path');

const ROOT = path.join(__dirname, '../..');

/** .ci/run installs it into target/tools. */
const promtool = [path.join(ROOT, 'target/tools/prometheus/usr/bin/promtool'), 'promtool'].find(
  (tool) => !spawnSync(tool, ['--version']).error,
);
const missing = !promtool && process.env.SHAZBOT_TEST_ALL !== '1' && 'promtool (from Prometheus) is not installed';

/**
 * Runs promtool and returns what it reports as wrong: an empty string if nothing is.
 *
 * @param {string[]} args
 * @param {string} [input]
 * @returns {Promise<string>}
 */
function runPromtool(args, input = '') {
  return new Promise((resolve) => {
    const child = execFile(String(promtool), args, (error, stdout, stderr) => resolve(error ? stdout + stderr : ''));
    child.stdin?.end(input);
  });
}

module.exports = { missing, runPromtool };
