'use strict';

// Passes log records and warnings on: to diagnostics_channel, NODE_DEBUG, process warnings and the logger of a framework.
// Without a framework nothing but warnings is printed: a library does not write to the output of a program.

const { channel } = require('node:diagnostics_channel');
const { nextTick } = require('node:process');
const { debuglog } = require('node:util');
const { withLink } = require('./errors.js');
const { printable } = require('./printable.js');

/**
 * The logger of a framework.
 * @typedef {object} AppLogger
 * @property {(message: string) => void} info
 * @property {(message: string) => void} warn
 * @property {() => boolean} takesWarnings whether it writes warnings anywhere
 */

const debug = debuglog('clustershazbot');
const log = channel('clustershazbot:log');
/** Most warnings that are remembered from one start of the engine to the next. */
const MAX_WARNED = 1_000;
/** @type {Set<string>} The warnings so far. */
const warned = new Set();
/** What the program threw, by the code of the warning that is about it. @type {Map<string, unknown>} */
const causes = new Map();
/** The loggers of the applications in this process; the last one is used. @type {Set<AppLogger>} */
const appLoggers = new Set();

/**
 * Creates the function that gets each report, of the engine and of this package. It holds `emitEvents` weakly, because Jest
 * may throw a registry away without a shutdown, and the engine must go with it.
 * @param {() => void} emitEvents called after each report: it may belong to a member event
 */
function reportHandler(emitEvents) {
  const weak = new WeakRef(emitEvents);
  // The engine gives each warning once until its cause is gone. A program that starts it again should not see them again.
  const before = new Set(warned);
  /**
   * @param {string} code
   * @param {string} text
   * @param {boolean} isWarning
   */
  return (code, text, isWarning) => {
    // It may quote what other servers say.
    const plain = printable(text);
    const message = isWarning ? withLink(code, plain) : plain;
    if (isWarning && !before.delete(plain)) {
      if (warned.size < MAX_WARNED) warned.add(plain);
      warn(code, message);
    }
    if (code === 'START') currentLogger()?.info(message);
    debug('%s %s', code, message);
    if (log.hasSubscribers) log.publish({ code, message });
    weak.deref()?.();
  };
}

/**
 * @param {string} code
 * @param {string} message
 */
function warn(code, message) {
  const cause = causes.get(code);
  const error = cause === undefined ? new Error(message) : new Error(message, { cause });
  const warning = Object.assign(error, { name: 'ShazbotWarning', code });
  const logger = currentLogger();
  if (!logger?.takesWarnings()) {
    emitWarning(warning);
    return;
  }
  logger.warn(`[${code}] ${message}`);
  // What `process.emitWarning` does. Node's own listener would print again what a logger has written.
  nextTick(() => {
    for (const listener of process.rawListeners('warning')) {
      if (!isNodesPrinter(listener)) listener.call(process, warning);
    }
  });
}

/** @param {Error & { code: string }} warning */
function emitWarning(warning) {
  try {
    process.emitWarning(warning);
  } catch {
    // Node refuses an error of another realm, as under Jest.
    process.emitWarning(warning.message, { type: warning.name, code: warning.code });
  }
}

/**
 * Its name alone may be that of a listener of the program.
 * @param {Function} listener
 */
function isNodesPrinter(listener) {
  return listener.name === 'onWarning' && String(listener).includes('traceProcessWarnings');
}

/**
 * Sends the record of the start, and warnings, to the logger of an application. The last one that was added gets them.
 * @param {AppLogger} logger
 * @returns {() => void} ends it
 */
function addAppLogger(logger) {
  appLoggers.add(logger);
  return () => appLoggers.delete(logger);
}

function currentLogger() {
  return [...appLoggers].at(-1);
}

module.exports = { addAppLogger, causes, reportHandler };
