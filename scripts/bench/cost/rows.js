'use strict';

// Formats the values of a row.

const { median } = require('../../shared/statistics.js');
const { figure } = require('../../shared/text.js');

/** @typedef {import('./measure.js').Row} Row */

/** Event-loop time divided by version 1's. @param {Row} row */
const ratioOf = ({ ours, baseline, ratios }) => (ratios ? median(ratios) : ours.eventLoop / baseline.eventLoop);

/**
 * The lowest and the highest ratio, if several processes were measured.
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

/** A time within the error of measurement has no ratio. @param {Row} row */
const ratioText = (row) => (row.ours.eventLoop < (row.ours.floor ?? 0) ? '–' : `${figure(ratioOf(row))}${spread(row)}`);

/** @param {Row} row */
const nameOf = ({ what, cut }) => (cut ? `${what}, answer cut` : what);

module.exports = { nameOf, ratioOf, ratioText, spread, timeOf };
