'use strict';

const { channel } = require('node:diagnostics_channel');
const { debuglog } = require('node:util');

const debug = debuglog('clustershazbot');
const log = channel('clustershazbot:log');
// The engine says a thing once; a program that starts it again has been told already.
const warned = new Set();

/**
 * What the engine calls when it reports something. It holds whoever wants to know of that weakly: a Jest registry that is
 * thrown away without a shutdown takes its engine with it.
 * @param {() => void} tell
 */
function observer(tell) {
  const weak = new WeakRef(tell);
  return (/** @type {string} */ code, /** @type {string} */ message, /** @type {boolean} */ isWarning) => {
    observe(code, message, isWarning);
    weak.deref()?.();
  };
}

/**
 * Hands on what the engine reports: everything to the channel and to NODE_DEBUG, and what an operator must do something
 * about to the process, once.
 * @param {string} code
 * @param {string} message
 * @param {boolean} isWarning
 */
function observe(code, message, isWarning) {
  if (isWarning && !warned.has(message)) {
    warned.add(message);
    process.emitWarning(message, { type: 'ShazbotWarning', code });
  }
  debug('%s %s', code, message);
  if (log.hasSubscribers) log.publish({ code, message });
}

module.exports = { observer };
