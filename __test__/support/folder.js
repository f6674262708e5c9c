'use strict';

const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');

/**
 * A folder that is there until the scope ends.
 *
 * @param {import('./cluster.js').Scope} scope
 */
function folder(scope) {
  const made = mkdtempSync(path.join(tmpdir(), 'clustershazbot-'));
  scope.after(() => rmSync(made, { recursive: true, force: true, maxRetries: 5 }));
  return made;
}

module.exports = { folder };
