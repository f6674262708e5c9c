'use strict';

// How figures and tables are written.

/** @param {number} n */
const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ' ');

/** @param {number} value to three figures, and at least to units */
function figure(value) {
  if (value === 0) return '0';
  if (value >= 100) return count(Math.round(value));
  // As short as it can be: 0.25, not 0.250.
  return String(Number(value.toPrecision(value >= 1 ? 3 : 2)));
}

/** @param {string[]} head @param {string[][]} rows */
function markdown(head, rows) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, n) => (n === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n');
}

module.exports = { count, figure, markdown };
