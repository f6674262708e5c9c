'use strict';

const { setTimeout } = require('node:timers');
const { serverList } = require('./requests.js');

/** How long after this package happy-server may be loaded and still be found before start, ms (v1's number). */
const LATER = 3_000;

/** @typedef {import('./native').Engine} Engine */

/**
 * Shows the cluster in happy-server's health page, if happy-server is there: now, or in a moment.
 * @param {Engine} engine
 */
function registerHappy(engine) {
  register(engine);
  setTimeout(() => register(engine), LATER).unref();
}

/** @param {Engine} engine */
function register(engine) {
  const { happyServerExtension, happyServerQuickExtension } = /** @type {Record<string, unknown>} */ (globalThis);
  if (isObject(happyServerExtension)) {
    happyServerExtension.clustershazbot = () => {
      try {
        return { status: 'ok', cluster: serverList(engine, true) };
      } catch (error) {
        return { status: 'error', error: error instanceof Error ? error.message : String(error) };
      }
    };
  }
  if (isObject(happyServerQuickExtension)) {
    happyServerQuickExtension.clustershazbot = () => engine.isWorking();
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
