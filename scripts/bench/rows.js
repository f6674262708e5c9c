'use strict';

// How a row reads: what was measured several times has a middle and a spread.

const { figure } = require('../shared/text.js');
const { median } = require('./meter.js');

/** @typedef {import('./measure.js').Row} Row */

/** Event-loop time beside version 1's. @param {Row} row */
const ratioOf = ({ ours, baseline, ratios }) => (ratios ? median(ratios) : ours.eventLoop / baseline.eventLoop);

/**
 * The lowest and the highest ratio, where several processes were measured.
 *
 * @param {Row | undefined} row
 * @param {(ratio: number) => string} [show]
 */
function spread(row, show = figure) {
  if (!row?.ratios || row.ratios.length < 2) return '';
  return ` (${show(Math.min(...row.ratios))} – ${show(Math.max(...row.ratios))})`;
}

/** @param {import('./measure.js').Cost} cost */
const timeOf = ({ eventLoop, floor = 0 }) => (eventLoop < floor ? `< ${figure(floor)}` : figure(eventLoop));

/** What is less than can be told has no ratio. @param {Row} row */
const ratioText = (row) => (row.ours.eventLoop < (row.ours.floor ?? 0) ? '–' : `${figure(ratioOf(row))}${spread(row)}`);

/** @param {Row} row */
const nameOf = ({ what, cut }) => (cut ? `${what}, answer cut` : what);

module.exports = { nameOf, ratioOf, ratioText, spread, timeOf };
