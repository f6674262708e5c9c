'use strict';

// Whether this server is the one that runs a job, for the integrations with schedulers.

const { engine } = require('./engine.js');
const { reportHandler } = require('./logging.js');
const { kinds } = require('./options.js');
const { OWNER_OPTIONS, owner } = require('./owner.js');
const { isOff } = require('./start-with-app.js');
const { wasStarted } = require('./status.js');

const ONE_SERVER_OPTIONS = { ...OWNER_OPTIONS, settled: kinds.flag };

let hasWarned = false;

/**
 * @param {string} key
 * @param {import('../index.js').OneServerOptions} [options]
 * @returns {boolean} false while the engine does not run or has not found the others yet: another server may run the job
 */
function shouldRun(key, { settled = false, ...options } = {}) {
  // For tests.
  if (isOff()) return true;
  const health = engine.health();
  if (health === 'not started' && !wasStarted()) warnOnce(key);
  if (health !== 'ready') return false;
  const found = owner(key, options);
  return found?.self === true && (found.settled || !settled);
}

/**
 * Not after a shutdown: a job may be due while the program ends.
 * @param {string} key
 */
function warnOnce(key) {
  if (hasWarned) return;
  hasWarned = true;
  const text =
    `the job ${JSON.stringify(key)} was skipped, because shazbotStart was not called, or was rejected: until it resolves, this ` +
    'server runs no job that only one server should run. Call it when the program starts; in Nest, import ' +
    'ShazbotModule.forRoot() into the application that listens. In tests use createFakeCluster of clustershazbot/testing';
  reportHandler(() => {})('SHAZBOT_JOB_SKIPPED', text, true);
}

module.exports = { ONE_SERVER_OPTIONS, shouldRun };
