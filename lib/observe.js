'use strict';

const { channel } = require('node:diagnostics_channel');
const { debuglog } = require('node:util');

const debug = debuglog('clustershazbot');
const log = channel('clustershazbot:log');
// The engine says a thing once; a program that starts it again has been told already.
const warned = new Set();

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

module.exports = { observe };
