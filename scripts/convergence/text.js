'use strict';

// How times are written that may never have come.

const { figure } = require('../shared/text.js');

/** How long the simulator waits for what does not come, s. */
const LIMIT = 4 * 3600;
const V1_LIMIT = 6 * 3600;

/**
 * @param {import('./simulator.js').Kind} kind
 * @returns {number} in s
 */
const limitOf = ({ v1 }) => (v1 ? V1_LIMIT : LIMIT);

/**
 * Seconds; what never came, null, is not hidden.
 *
 * @param {number | null | undefined} value
 * @param {import('./simulator.js').Kind} kind
 */
function seconds(value, kind) {
  if (value === undefined) return '–';
  return value === null ? `> ${limitOf(kind) / 3600} h` : `${figure(value)} s`;
}

module.exports = { V1_LIMIT, limitOf, seconds };
