'use strict';

// Whether this server is the one that runs a job, for the integrations with schedulers.

const { engine } = require('./engine.js');
const { OWNER_OPTIONS, owner } = require('./owner.js');
const { isOff } = require('./start-with-app.js');

const ONE_SERVER_OPTIONS = [...OWNER_OPTIONS, 'settled'];

/**
 * @param {string} key
 * @param {import('../index.js').OneServerOptions} [options]
 * @returns {boolean} false while the engine does not run or has not found the others yet: another server may run the job
 */
function shouldRun(key, { settled = false, ...options } = {}) {
  // For tests.
  if (isOff()) return true;
  if (engine.health() !== 'ready') return false;
  const found = owner(key, options);
  return found?.self === true && (found.settled || !settled);
}

module.exports = { ONE_SERVER_OPTIONS, shouldRun };
