'use strict';

// Whether this server may be given work, and whether the servers that it needs are there.

// Imported, because tests may fake the global timers.
const { clearTimeout, setTimeout } = require('node:timers');
const { isDisabled } = require('./disabled.js');
const { engine } = require('./engine.js');
const { shazbotError, unwrap } = require('./errors.js');
const { afterEvents } = require('./events.js');
const { offered } = require('./offered.js');
const { serverAt, suspects } = require('./server-lists.js');
const { checkOptions } = require('./unknown-names.js');

/** @type {typeof import('../index.js').shazbotReady} */
function setReady(isReady = true) {
  if (!isDisabled()) unwrap(engine.setReady(isReady));
}

/** @type {typeof import('../index.js').shazbotWaitFor} */
async function waitFor(options = {}) {
  checkOptions('shazbotWaitFor', options, ['online', 'where', 'timeout']);
  const { online, where, timeout } = options;
  // Nobody will come.
  if (isDisabled()) return [];
  return new Promise((resolve, reject) => {
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const end = (/** @type {() => void} */ settle) => {
      clearTimeout(timer);
      stop();
      settle();
    };
    const look = () => {
      try {
        const { lists, places } = offered([where]);
        if (places.length < (online ?? 1)) return;
        const suspected = suspects();
        end(() => resolve(places.map((place) => serverAt(lists, place, suspected))));
      } catch (error) {
        end(() => reject(error));
      }
    };
    const stop = afterEvents(look);
    if (timeout !== undefined) timer = setTimeout(() => end(() => reject(tooFew(online ?? 1, timeout))), timeout);
  });
}

/**
 * @param {number} online
 * @param {number} timeout
 */
function tooFew(online, timeout) {
  const message = `Fewer than ${online} servers that match are online and ready after ${timeout} ms`;
  return shazbotError({ code: 'SHAZBOT_TIMEOUT', status: 503, message });
}

module.exports = { setReady, waitFor };
