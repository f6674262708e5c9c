'use strict';

// Whether this server is the one that runs a job, for the integrations with schedulers.

const { isDisabled } = require('./disabled.js');
const { kinds } = require('./options.js');
const { OWNER_OPTIONS, owner } = require('./owner.js');

const ONE_SERVER_OPTIONS = { ...OWNER_OPTIONS, settled: kinds.flag };

/**
 * @param {string} key
 * @param {import('../index.js').OneServerOptions} [options]
 * @returns {boolean}
 */
function shouldRun(key, { settled = false, ...options } = {}) {
  // For tests.
  if (isDisabled()) return true;
  const found = owner(key, options);
  return found?.self === true && (found.settled || !settled);
}

module.exports = { ONE_SERVER_OPTIONS, shouldRun };
