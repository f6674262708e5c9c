'use strict';

const { spawnSync } = require('node:child_process');
const { join } = require('node:path');

/** Builds the addon. What that says is no part of the figures, and goes to standard error. */
function build() {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: join(__dirname, '..', '..'),
    stdio: ['ignore', process.stderr, 'inherit'],
  });
  if (status !== 0) throw new Error('the addon could not be built');
}

module.exports = { build };
