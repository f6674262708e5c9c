'use strict';

const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');

/** @type {string[]} */
const over = [];

/**
 * A folder that is there until the scope ends; it is removed when the process does. Hooks run in the order in which they
 * came, so that servers which write there are ended after the one of their folder.
 *
 * @param {import('./cluster.js').Scope} scope
 */
function folder(scope) {
  const made = mkdtempSync(path.join(tmpdir(), 'clustershazbot-'));
  scope.after(() => {
    if (over.push(made) === 1) process.once('exit', removeAll);
  });
  return made;
}

function removeAll() {
  for (const made of over) rmSync(made, { recursive: true, force: true });
}

module.exports = { folder };
