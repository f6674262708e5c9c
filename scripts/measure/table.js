'use strict';

/** @param {string[][]} lines of which the first is the head */
function printTable(lines) {
  const widths = lines[0]?.map((_, n) => Math.max(...lines.map((cells) => cells[n]?.length ?? 0))) ?? [];
  for (const cells of lines) {
    const padded = cells.map((cell, n) => cell.padEnd(widths[n] ?? 0));
    console.log(padded.join('  ').trimEnd());
  }
}

module.exports = { printTable };
