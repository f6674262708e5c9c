'use strict';

// Prints the results on a terminal.

const { count, figure, table } = require('../../shared/text.js');
const { nameOf, ratioText, timeOf } = require('./rows.js');

/** @param {import('./document.js').Measured} measured */
function summary({ machine, rows, memory, targets }) {
  const cells = rows.map((row) => [
    nameOf(row),
    row.n === undefined ? '' : count(row.n),
    timeOf(row.ours),
    timeOf(row.baseline),
    ratioText(row),
    ...both(row.ours.cpu, row.baseline.cpu, figure),
    ...both(row.ours.bytes, row.baseline.bytes, count),
  ]);
  const head = ['', 'servers', 'event loop, µs', 'v1', 'ratio', 'CPU, µs', 'v1', 'bytes', 'v1'];
  const memories = memory.map(({ n, bare, ours, oursTags, bareFull, oursFull, baseline }) => [
    'resident memory over the bare program, MB',
    count(n),
    ...[ours - bare, oursTags - bare, oursFull - bareFull, baseline - bareFull].map((bytes) => figure(bytes / 1e6)),
  ]);
  const judged = targets.map(({ what, target, shown, met }) => [met ? 'met' : 'MISSED', shown, target, what]);
  return [
    ...(machine.isOnCore
      ? []
      : ['Event-loop times are wall-clock times: this system does not count the CPU time of a thread.']),
    ...(cells.length > 0 ? [table([head, ...cells])] : []),
    ...(memories.length > 0
      ? [table([['', 'servers', 'ours', 'ours, with tags', 'ours, sent whole lists', 'v1'], ...memories])]
      : []),
    table([['', 'measured', 'target', ''], ...judged]),
  ].join('\n\n');
}

/** @param {number | undefined} ours @param {number | undefined} baseline @param {(value: number) => string} show */
const both = (ours, baseline, show) => [ours, baseline].map((value) => (value === undefined ? '–' : show(value)));

module.exports = { summary };
