'use strict';

// What was measured, for a terminal.

const { table } = require('../shared/table.js');
const { count, figure } = require('../shared/text.js');

/** @param {import('./document.js').Measured} measured */
function summary({ rows, memory, targets }) {
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
    ...(cells.length > 0 ? [table([head, ...cells])] : []),
    ...(memories.length > 0 ? [table([['', 'servers', 'ours', 'v1'], ...memories])] : []),
    table([['', 'measured', 'target', ''], ...judged]),
  ].join('\n\n');
}

/** @param {number | undefined} ours @param {number | undefined} baseline @param {(value: number) => string} show */
const both = (ours, baseline, show) => [ours, baseline].map((value) => (value === undefined ? '–' : show(value)));

module.exports = { summary };
