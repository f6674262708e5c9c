'use strict';

// Starts the engine with an application of a framework, before the application listens, and stops it with the last one.

// Imported, because tests may fake the global timers.
const { clearTimeout, setTimeout } = require('node:timers');
const { shazbotShutDown, shazbotStart } = require('../index.js');
const { engine } = require('./engine.js');
const { addAppLogger, reportHandler } = require('./logging.js');
const { serverList } = require('./server-lists.js');

/** The application waits at most this long for the first gossip round before it listens: other servers ask it already. */
const MAX_DELAY_MS = 1_000;

/** The others know of a drain within a second. Requests that they have sent until then are on their way. */
const DRAIN_MS = 1_500;

/** What ends the use of the logger of each application. @type {Map<object, () => void>} */
const open = new Map();

/**
 * An application that answers for this server runs: its logger gets the warnings.
 * @param {object} app
 * @param {import('./logging.js').AppLogger} logger
 */
function openApp(app, logger) {
  open.set(app, addAppLogger(logger));
}

/**
 * Leaves the cluster when the last application closes: first drained, so that no request is lost.
 * @param {object} app
 * @param {{ drainFor?: number | undefined }} [options]
 */
async function closeApp(app, { drainFor = DRAIN_MS } = {}) {
  const removeLogger = open.get(app);
  if (!open.delete(app)) return;
  try {
    const hasPeers = engine.isWorking() && serverList(false).online.length > 1;
    if (open.size === 0) await shazbotShutDown({ drainFor: hasPeers ? drainFor : 0 });
  } finally {
    removeLogger?.();
  }
}

/**
 * Rejects if the configuration is wrong. The engine warns about later failures.
 * @param {import('../index.js').ShazbotStartOptions} options may have the options of the integration, too
 */
async function startWithApp({ config, discover, port, tags }) {
  await new Promise((resolve, reject) => {
    let listens = false;
    const timer = setTimeout(() => {
      listens = true;
      resolve(undefined);
    }, MAX_DELAY_MS);
    shazbotStart({ config, discover, port, tags })
      .finally(() => clearTimeout(timer))
      .then(resolve, (error) => {
        // The application runs already: a name that its configuration needs took long to resolve.
        const text = error.message.replace(/:\n\s*/g, ': ').replace(/\n\s*/g, '; ');
        if (listens) reportHandler(() => {})(error.code, `the start has failed: ${text}`, true);
        else reject(error);
      });
  });
}

module.exports = { closeApp, openApp, startWithApp };
