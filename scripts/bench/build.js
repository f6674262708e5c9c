'use strict';

const { execFileSync } = require('node:child_process');

const { ROOT } = require('../shared/cargo.js');

/** Builds the addon. Its output goes to standard error, because standard output has the results. */
function build() {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: ['ignore', process.stderr, 'inherit'] });
}

module.exports = { build };
