'use strict';

// Text for a terminal: colours, columns and durations.

const util = require('node:util');

/** @typedef {Parameters<typeof util.styleText>[0]} Style */
/** @typedef {[text: string, style?: Style | undefined]} Cell */
/** @typedef {{ colour: boolean, width?: number | undefined }} Format width: of the terminal, in columns */

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
  const length = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length }, (_, i) => Math.max(...rows.map((row) => row[i]?.[0].length ?? 0)) + 2);
  return rows.map((row) =>
    formatLine(
      row.map(([text, style], i) => [text.padEnd(Number(widths[i])), style]),
      format,
    ),
  );
}

/** @param {number} ms */
function formatDuration(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5_400) return `${Math.round(s / 60)} min`;
  return s < 129_600 ? `${Math.round(s / 3_600)} h` : `${Math.round(s / 86_400)} d`;
}

module.exports = { formatDuration, formatLine, formatTable, hasColour };
