'use strict';

// Starts the engine with an application of a framework, before the application listens.

// Imported, because tests may fake the global timers.
const { clearTimeout, setTimeout } = require('node:timers');
const { shazbotStart } = require('../index.js');

/** The application waits at most this long for the first gossip round before it listens: other servers ask it already. */
const MAX_DELAY_MS = 1_000;

/**
 * Rejects at once if the configuration is wrong. The engine warns about later failures.
 * @param {import('../index.js').ShazbotStartOptions} options may have the options of the integration, too
 */
async function startWithApp({ config, discover, port, tags }) {
  await new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, MAX_DELAY_MS);
    shazbotStart({ config, discover, port, tags })
      .finally(() => clearTimeout(timer))
      .then(resolve, reject);
  });
}

module.exports = { startWithApp };
