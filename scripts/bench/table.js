'use strict';

// What was measured, for a terminal.

const { count, figure } = require('../convergence/text.js');

/** @param {import('./document.js').Measured} measured */
function table({ rows, memory, targets }) {
  const cells = rows.map(({ what, n, ours, baseline }) => [
    what,
    n === undefined ? '' : count(n),
    ...both(ours.eventLoop, baseline.eventLoop, figure),
    figure(ours.eventLoop / baseline.eventLoop),
    ...both(ours.cpu, baseline.cpu, figure),
    ...both(ours.bytes, baseline.bytes, count),
  ]);
  const head = ['', 'servers', 'event loop, µs', 'v1', 'ratio', 'CPU, µs', 'v1', 'bytes', 'v1'];
  const memories = memory.map(({ n, bare, ours, baseline }) => [
    'resident memory over the bare program, MB',
    count(n),
    ...both((ours - bare) / 1e6, (baseline - bare) / 1e6, figure),
  ]);
  const judged = targets.map(({ what, target, shown, met }) => [met ? 'met' : 'MISSED', shown, target, what]);
  return [
    ...(cells.length > 0 ? [lines([head, ...cells])] : []),
    ...(memories.length > 0 ? [lines([['', 'servers', 'ours', 'v1'], ...memories])] : []),
    lines([['', 'measured', 'target', ''], ...judged]),
  ].join('\n\n');
}

/** @param {number | undefined} ours @param {number | undefined} baseline @param {(value: number) => string} show */
const both = (ours, baseline, show) => [ours, baseline].map((value) => (value === undefined ? '–' : show(value)));

/** @param {string[][]} cells */
function lines(cells) {
  const widths = cells[0]?.map((_, n) => Math.max(...cells.map((row) => row[n]?.length ?? 0))) ?? [];
  return cells
    .map((row) =>
      row
        .map((cell, n) => cell.padEnd(widths[n] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

module.exports = { table };
