'use strict';

// Whether this server may be given work, and whether the servers that it needs are there.

// Imported, because tests may fake the global timers.
const { clearTimeout, setTimeout } = require('node:timers');
const { isDisabled } = require('./disabled.js');
const { engine } = require('./engine.js');
const { shazbotError, unwrap } = require('./errors.js');
const { afterEvents } = require('./events.js');
const { offered } = require('./offered.js');
const { checkArgument, checkOptions, kinds } = require('./options.js');
const { serverAt, suspects } = require('./server-lists.js');
const { condition } = require('./where.js');

const WAIT_OPTIONS = { online: kinds.count, where: condition, timeout: kinds.timeout, signal: kinds.signal };

/** @type {typeof import('../index.js').shazbotReady} */
function setReady(isReady = true) {
  checkArgument('shazbotReady', 'isReady', isReady, kinds.flag);
  if (!isDisabled()) unwrap(engine.setReady(isReady));
}

/** @type {typeof import('../index.js').shazbotWaitFor} */
async function waitFor(options = {}) {
  checkOptions('shazbotWaitFor', options, WAIT_OPTIONS);
  const { online = 1, where, timeout = Infinity, signal } = options;
  signal?.throwIfAborted();
  // Nobody will come.
  if (isDisabled()) return [];
  return new Promise((resolve, reject) => {
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const end = (/** @type {() => void} */ settle) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      stop();
      settle();
    };
    const look = () => {
      try {
        const { lists, places } = offered([where]);
        if (places.length < online) return;
        const suspected = suspects();
        end(() => resolve(places.map((place) => serverAt(lists, place, suspected))));
      } catch (error) {
        end(() => reject(error));
      }
    };
    const stop = afterEvents(look);
    const abort = () => end(() => reject(signal?.reason));
    signal?.addEventListener('abort', abort);
    if (timeout < Infinity) timer = setTimeout(() => end(() => reject(tooFew(online, timeout))), timeout);
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
