'use strict';

// Text for a terminal: colours, columns and durations.

const util = require('node:util');

/** @typedef {Parameters<typeof util.styleText>[0]} Style */
/** @typedef {[text: string, style?: Style | undefined]} Cell */
/**
 * width: of the terminal, in columns; flexible: the columns of a table that are cut if it is wider
 * @typedef {{ colour: boolean, width?: number | undefined, flexible?: number[] }} Format
 */

/** A column is not cut below this width. */
const MIN_WIDTH = 12;

/**
 * Whether to print colours. NO_COLOR wins over FORCE_COLOR.
 * @param {{ isTTY?: boolean }} stream
 * @param {NodeJS.ProcessEnv} env
 */
function hasColour(stream, env) {
  // Node 20.0 to 20.11 have no styleText.
  if (env.NO_COLOR || !util.styleText) return false;
  return env.FORCE_COLOR ? env.FORCE_COLOR !== '0' : Boolean(stream.isTTY) && env.TERM !== 'dumb';
}

/**
 * Joins cells, cuts the line to the width and paints it.
 * @param {Cell[]} cells
 * @param {Format} format
 */
function formatLine(cells, { colour, width = Number.POSITIVE_INFINITY }) {
  let room = width;
  let line = '';
  for (const [text, style] of cells) {
    const visible = text.slice(0, room);
    room -= visible.length;
    // hasColour has decided: without this option newer versions of Node look at stdout again.
    line += colour && style ? util.styleText(style, visible, { validateStream: false }) : visible;
  }
  return line.trimEnd();
}

/**
 * Aligns rows in columns.
 * @param {Cell[][]} rows
 * @param {Format} format
 * @returns {string[]} one line for each row
 */
function formatTable(rows, format) {
  const length = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const needed = Array.from({ length }, (_, i) =>
    rows.reduce((most, row) => Math.max(most, row[i]?.[0].length ?? 0), 0),
  );
  const widths = fittingWidths(needed, format);
  return rows.map((row) =>
    formatLine(
      row.map(([text, style], i) => [shorten(text, Number(widths[i])).padEnd(Number(widths[i]) + 2), style]),
      format,
    ),
  );
}

/**
 * Takes from the widest flexible column until the table fits.
 * @param {number[]} needed
 * @param {Format} format
 */
function fittingWidths(needed, { width = Number.POSITIVE_INFINITY, flexible = [] }) {
  const widths = [...needed];
  let excess = widths.reduce((sum, it) => sum + it + 2, -2) - width;
  while (excess > 0) {
    const [widest] = flexible.toSorted((a, b) => Number(widths[b]) - Number(widths[a]));
    if (widest === undefined || Number(widths[widest]) <= MIN_WIDTH) break;
    widths[widest] = Number(widths[widest]) - 1;
    excess -= 1;
  }
  return widths;
}

/**
 * @param {string} text
 * @param {number} width
 */
const shorten = (text, width) => (text.length > width ? `${text.slice(0, width - 1)}…` : text);

/** The width of the terminal, if the output is one. A terminal that does not know its size reports 0. */
const terminalWidth = () => (process.stdout.isTTY ? process.stdout.columns || 80 : undefined);

/** Such as "1 server", "2 servers". @param {number} count @param {string} noun */
const formatCount = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** @param {number} ms */
function formatDuration(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5_400) return `${Math.round(s / 60)} min`;
  return s < 129_600 ? `${Math.round(s / 3_600)} h` : `${Math.round(s / 86_400)} d`;
}

/**
 * The difference of a clock, such as +0.4 s. Below half a second it is 0 s: requests may take as long.
 * @param {number} ms NaN if it is not known
 */
function formatOffset(ms) {
  if (Number.isNaN(ms)) return '';
  if (Math.abs(ms) < 500) return '0 s';
  const amount = Math.abs(ms) < 90_000 ? `${(Math.abs(ms) / 1000).toFixed(1)} s` : formatDuration(Math.abs(ms));
  return `${ms > 0 ? '+' : '-'}${amount}`;
}

module.exports = { formatCount, formatDuration, formatLine, formatOffset, formatTable, hasColour, terminalWidth };
