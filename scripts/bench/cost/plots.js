'use strict';

// Draws the plots of docs/contributors/performance.md, each with a table of its values.

const { BLUE, GREEN, PURPLE, RED, decades, draw } = require('../../shared/plot.js');
const { count, figure, markdown } = require('../../shared/text.js');

/** @typedef {import('./document.js').Measured} Measured */
/** @typedef {{ name: string, title: string, svg: string, table: string }} Figure a plot and its values in Markdown */
/** @typedef {{ name: string, color: string, dashed?: boolean, at: Map<number, number> }} Line a value for each size */

const SIZES = [10, 100, 1_000, 10_000];
const SERVERS = { name: 'servers', min: 8, max: 12_500, ticks: SIZES, log: true, label: count };
const CPU = 'Time for which the event loop does nothing else';

/**
 * @param {Omit<import('../../shared/plot.js').Plot, 'lines' | 'x'> & { name: string, lines: Line[] }} plot
 * @returns {Figure}
 */
function compose({ name, lines, ...plot }) {
  const sizes = [...new Set(lines.flatMap(({ at }) => [...at.keys()]))].sort((a, b) => a - b);
  const drawn = lines.map(({ at, ...line }) => ({ ...line, points: [...at].map(([x, y]) => ({ x, y })) }));
  const rows = sizes.map((n) => [count(n), ...lines.map(({ at }) => (at.has(n) ? figure(at.get(n) ?? 0) : '–'))]);
  return {
    name,
    title: plot.title,
    svg: draw({ ...plot, x: SERVERS, lines: drawn }),
    table: markdown(['servers', ...lines.map((line) => line.name)], rows),
  };
}

/** @param {Measured} measured @returns {Figure[]} */
function plots({ rows, memory }) {
  /** @param {string} what @param {'ours' | 'baseline'} who */
  const times = (what, who) =>
    new Map(rows.filter((row) => row.what === what).map((row) => [row.n ?? 0, row[who].eventLoop]));
  /** @typedef {'bare' | 'ours' | 'oursTags' | 'bareFull' | 'oursFull' | 'baseline'} Program */
  /** @param {Program} who @param {Program} bare */
  const megabytes = (who, bare) => new Map(memory.map((it) => [it.n, Math.max(0, it[who] - it[bare]) / 1e6]));
  const memories = {
    ours: megabytes('ours', 'bare'),
    oursTags: megabytes('oursTags', 'bare'),
    oursFull: megabytes('oursFull', 'bareFull'),
    baseline: megabytes('baseline', 'bareFull'),
  };
  const tens = Math.ceil(Math.max(20, ...Object.values(memories).flatMap((at) => [...at.values()])) / 10);
  return [
    compose({
      name: 'exchange',
      title: 'A gossip message comes in and is answered',
      subtitle:
        'Time of the event loop, JSON included. Ours answers a version 1 peer with 90 kB at most, version 1 with all',
      y: decades(0, 5, 'µs'),
      lines: [
        { name: 'between ours', color: BLUE, at: times('inbound exchange between ours', 'ours') },
        { name: 'with a version 1 peer', color: GREEN, at: times('inbound exchange with a version 1 peer', 'ours') },
        { name: 'version 1', color: RED, dashed: true, at: times('inbound exchange between ours', 'baseline') },
      ],
    }),
    compose({
      name: 'list',
      title: 'The list is asked for',
      subtitle: `${CPU}: shazbotListRequest and JSON.stringify, online servers`,
      y: decades(0, 4, 'µs'),
      lines: [
        { name: 'nothing new', color: BLUE, at: times('shazbotListRequest', 'ours') },
        { name: 'after news', color: GREEN, at: times('shazbotListRequest, after news', 'ours') },
        { name: 'after a change', color: PURPLE, at: times('shazbotListRequest, after a change', 'ours') },
        { name: 'version 1', color: RED, dashed: true, at: times('shazbotListRequest', 'baseline') },
      ],
    }),
    compose({
      name: 'memory',
      title: 'What a server keeps in memory',
      subtitle: 'Resident memory over that of the same Express program without the package, sent the same',
      y: { name: 'MB', min: 0, max: tens * 10, ticks: Array.from({ length: tens + 1 }, (_, n) => n * 10) },
      lines: [
        { name: 'ours', color: BLUE, at: memories.ours },
        { name: 'ours, with tags of 62 bytes', color: PURPLE, at: memories.oursTags },
        { name: 'ours, sent whole lists', color: GREEN, at: memories.oursFull },
        { name: 'version 1', color: RED, dashed: true, at: memories.baseline },
      ],
    }),
  ];
}

module.exports = { plots };
