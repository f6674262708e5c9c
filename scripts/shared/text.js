'use strict';

// Formats numbers and tables.

/** @param {number} n */
const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ' ');

/** @param {number} value shown with up to three significant digits, and never less than its whole part */
function figure(value) {
  if (value === 0) return '0';
  if (value >= 100) return count(Math.round(value));
  // Number drops trailing zeros: 0.25, not 0.250.
  return String(Number(value.toPrecision(value >= 1 ? 3 : 2)));
}

/**
 * A table in Markdown.
 *
 * @param {string[]} head
 * @param {string[][]} rows
 * @param {'--:' | '---'} [others] the columns after the first: numbers on the right, or text on the left
 */
function markdown(head, rows, others = '--:') {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, n) => (n === 0 ? '---' : others))), ...rows.map(line)].join('\n');
}

/**
 * A table for a terminal.
 *
 * @param {string[][]} rows the first is the head
 */
function table(rows) {
  const widths = rows[0]?.map((_, n) => Math.max(...rows.map((row) => row[n]?.length ?? 0))) ?? [];
  const line = (/** @type {string[]} */ row) => row.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

module.exports = { count, figure, markdown, table };
