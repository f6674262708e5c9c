'use strict';

const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');

/** @type {string[]} */
const made = [];

/**
 * A folder that is there as long as the process: hooks run in the order in which they came, so that one of a folder would run
 * before those that end the servers which write there.
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
