'use strict';

// How figures and tables are written.

/** How long the simulator waits for what does not come, s. */
const LIMIT = 4 * 3600;
const V1_LIMIT = 6 * 3600;

/** @param {number} n */
const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ' ');

/** @param {number} value to three figures, and at least to units */
function figure(value) {
  if (value === 0) return '0';
  if (value >= 100) return count(Math.round(value));
  // As short as it can be: 0.25, not 0.250.
  return String(Number(value.toPrecision(value >= 1 ? 3 : 2)));
}

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

/** @param {string[]} head @param {string[][]} rows */
function markdown(head, rows) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, n) => (n === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n');
}

module.exports = { V1_LIMIT, count, figure, limitOf, markdown, seconds };
