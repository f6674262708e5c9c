'use strict';

// Makes temporary folders that are removed when the process ends.

const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');

/** @type {string[]} */
const made = [];

/**
 * Not removed by a hook of the test: hooks run in the order in which they were added, so it would run before those that
 * end the servers that write there.
 */
function folder() {
  const it = mkdtempSync(path.join(tmpdir(), 'clustershazbot-'));
  if (made.push(it) === 1) process.once('exit', removeAll);
  return it;
}

function removeAll() {
  for (const it of made) rmSync(it, { recursive: true, force: true });
}

module.exports = { folder };
