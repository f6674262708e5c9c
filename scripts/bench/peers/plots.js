'use strict';

// Draws the plots of docs/peers.md: how soon a fault is known, over what that costs while nothing happens.

const { BLUE, GREEN, PURPLE, RED, decades, draw } = require('../../shared/plot.js');
const { percentile } = require('../../shared/statistics.js');
const { LIMIT } = require('../processes/cluster.js');

/** @type {Record<string, string>} */
const COLORS = {
  'ours-30': BLUE,
  'ours-2': '#54aeff',
  'ours-0.5': '#0a3069',
  serf: RED,
  moleculer: GREEN,
  chitchat: PURPLE,
  foca: '#bf8700',
};

/** @typedef {import('./index.js').Measured} Measured */
/** @typedef {import('./measure.js').Result} Result */
/** @typedef {{ name: string, title: string, svg: string }} Figure */

/** @param {Measured} measured @returns {Figure[]} */
function plots(measured) {
  return [
    figureOf(measured, 'killed', 'A process is killed: until all others know'),
    figureOf(measured, 'hung', 'A process hangs: until all others know'),
    figureOf(measured, 'gone', 'A host is unplugged: until all others know'),
  ];
}

/** @param {Measured} measured @param {'killed' | 'hung' | 'gone'} fault @param {string} title @returns {Figure} */
function figureOf({ results }, fault, title) {
  const y = decades(-2, 3, 'seconds');
  const lines = results.flatMap((result) => {
    const times = result.times[fault];
    if (!result.idle || !times?.length) return [];
    const x = result.idle.bytes;
    const seconds = times.map((ms) => (ms === null ? Number.POSITIVE_INFINITY : ms / 1000));
    const points = [percentile(seconds, 0.5), Math.max(...seconds)].map((value) =>
      Number.isFinite(value) ? { x, y: Math.max(value, y.min) } : { x, y: y.max, never: true },
    );
    return [{ name: result.who.replace('clustershazbot', 'ours'), color: COLORS[result.name] ?? RED, points }];
  });
  const subtitle = `Median and worst, over the bytes that an idle server sends: lower and further left is better. ▲: over ${LIMIT / 1000} s`;
  return { name: fault, title, svg: draw({ title, subtitle, x: decades(2, 4, 'bytes a second'), y, lines }) };
}

module.exports = { plots };
