'use strict';

// Passes the engine's log records and warnings on: to diagnostics_channel, NODE_DEBUG and process.emitWarning.

const { channel } = require('node:diagnostics_channel');
const { debuglog } = require('node:util');
const { printable } = require('./printable.js');

const debug = debuglog('clustershazbot');
const log = channel('clustershazbot:log');
// The engine reports each warning once per start. A program that starts it again should not see them again.
const warned = new Set();

/**
 * Creates the function that the engine calls with each report. It holds `emitPending` weakly, because Jest may throw a
 * registry away without a shutdown, and the engine must go with it.
 * @param {() => void} emitPending called after each report: it may belong to a member event
 */
function reportHandler(emitPending) {
  const weak = new WeakRef(emitPending);
  return (/** @type {string} */ code, /** @type {string} */ text, /** @type {boolean} */ isWarning) => {
    // It may quote what other servers say.
    const message = printable(text);
    if (isWarning && !warned.has(message)) {
      warned.add(message);
      process.emitWarning(message, { type: 'ShazbotWarning', code });
    }
    debug('%s %s', code, message);
    if (log.hasSubscribers) log.publish({ code, message });
    weak.deref()?.();
  };
}

module.exports = { reportHandler };
