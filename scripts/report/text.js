'use strict';

// Formats times, including those that exceed the simulator's limit.

const { figure } = require('../shared/text.js');

/** The simulated time after which the simulator gives up, s. */
const LIMIT = 4 * 3600;
const V1_LIMIT = 6 * 3600;

/**
 * @param {import('./simulator.js').Kind} kind
 * @returns {number} in s
 */
const limitOf = ({ v1 }) => (v1 ? V1_LIMIT : LIMIT);

/**
 * Formats seconds. Null, a time over the limit, is shown as such.
 *
 * @param {number | null | undefined} value
 * @param {import('./simulator.js').Kind} kind
 */
function seconds(value, kind) {
  if (value === undefined) return '–';
  return value === null ? `> ${limitOf(kind) / 3600} h` : `${figure(value)} s`;
}

module.exports = { V1_LIMIT, limitOf, seconds };
