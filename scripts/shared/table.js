'use strict';

/**
 * A table for a terminal.
 *
 * @param {string[][]} rows of which the first is the head
 */
function table(rows) {
  const widths = rows[0]?.map((_, n) => Math.max(...rows.map((row) => row[n]?.length ?? 0))) ?? [];
  const line = (/** @type {string[]} */ row) => row.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

module.exports = { table };
