'use strict';

// Adds the cluster to the health page of happy-server, if the program uses happy-server.

const { setTimeout } = require('node:timers');
const { counters } = require('./counters.js');
const { isDisabled } = require('./disabled.js');
const { engine } = require('./engine.js');
const { serverList } = require('./server-lists.js');

/** The program may load happy-server after this package, but within this time (the same as version 1). */
const RETRY_MS = 3_000;

function registerHappy() {
  register();
  setTimeout(register, RETRY_MS).unref();
}

function register() {
  const { happyServerExtension, happyServerQuickExtension } = /** @type {Record<string, unknown>} */ (globalThis);
  if (isObject(happyServerExtension)) {
    happyServerExtension.clustershazbot = () => {
      try {
        if (isDisabled()) return { status: 'ok', cluster: serverList(true) };
        // Only the codes: the page may be public.
        const warnings = Object.keys(counters().warnings);
        return { status: 'ok', cluster: serverList(true), ...(warnings.length > 0 && { warnings }) };
      } catch (error) {
        return { status: 'error', error: error instanceof Error ? error.message : String(error) };
      }
    };
  }
  if (isObject(happyServerQuickExtension)) {
    happyServerQuickExtension.clustershazbot = () => engine.isWorking() || isDisabled();
  }
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isObject(value) {
  return typeof value === 'object' && value !== null;
}

module.exports = { registerHappy };
