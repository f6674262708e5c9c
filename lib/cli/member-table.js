'use strict';

// The table of members that `members`, `status`, `list` and `watch` print.

const { printable } = require('../printable.js');
const { reasonOf, stateOf } = require('./members.js');
const { shownTags } = require('./tag-options.js');
const { formatDuration, formatTable } = require('./terminal.js');

/** @typedef {import('./members.js').Member} Member */
/** @typedef {import('./terminal.js').Cell} Cell */
/**
 * Texts to print, and what rows are sorted by.
 * @typedef {object} Row
 * @property {Member} member
 * @property {string} baseUrl
 * @property {string} state
 * @property {string[]} tags values of those that are shown
 * @property {Record<string, string>} cells by the name of the column
 * @property {number} changedAt 0 if it is not known
 * @property {number} seenAt 0 if it is not known
 */

const COLOURS = /** @type {Record<string, import('./terminal.js').Style>} */ ({
  online: 'green',
  suspect: 'yellow',
  drained: 'magenta',
  failed: 'red',
  offline: 'red',
});
/** The order of the states in the table. */
const RANKS = ['online', 'suspect', 'drained', 'failed', 'offline', 'left'];
/** Columns that are cut where the table is wider than the terminal. */
const FLEXIBLE = ['name', 'why', 'found by'];

/**
 * @param {import('./members.js').View} view
 * @param {import('./tag-options.js').TagOptions} options
 * @returns {Row[]}
 */
function memberRows({ members, baseUrl, at }, options) {
  return members.map((member) => {
    const { changedAt = 0, answered = 0, heard = 0 } = member;
    const seenAt = Math.max(answered, heard);
    const cells = {
      name: member.baseUrl,
      state: stateOf(member),
      for: changedAt ? formatDuration(at - changedAt) : '',
      why: reasonOf(member, baseUrl),
      version: member.version ?? '',
      seen: seenAt ? `${formatDuration(at - seenAt)} ago` : '',
      role: [member.baseUrl === baseUrl && 'this', member.monitor && 'monitor'].filter(Boolean).join(', '),
      protocol: String(member.protocol ?? ''),
      failures: String(member.failures ?? ''),
      'found by': member.by ?? '',
    };
    const printed = Object.fromEntries(Object.entries(cells).map(([name, text]) => [name, printable(text)]));
    const tags = shownTags(options, member);
    return { member, baseUrl: member.baseUrl, state: printed.state ?? '', tags, cells: printed, changedAt, seenAt };
  });
}

/** @type {Record<string, (a: Row, b: Row) => number>} */
const ORDERS = {
  name: (a, b) => compare(a.baseUrl, b.baseUrl),
  state: (a, b) => RANKS.indexOf(a.state) - RANKS.indexOf(b.state),
  for: (a, b) => b.changedAt - a.changedAt,
  why: (a, b) => compare(a.cells.why, b.cells.why),
  version: (a, b) => compare(a.cells.version, b.cells.version),
  seen: (a, b) => b.seenAt - a.seenAt,
};

/** @param {string} [a] @param {string} [b] */
const compare = (a = '', b = '') => (a < b ? -1 : Number(a > b));

/**
 * @param {Row[]} rows
 * @param {string} [order] the name of a column; then by name
 */
function sortRows(rows, order = 'state') {
  const by = ORDERS[order] ?? ORDERS.state;
  return rows.toSorted((a, b) => by?.(a, b) || compare(a.baseUrl, b.baseUrl));
}

/**
 * Leaves out columns without a value, except those of tags.
 * @param {Row[]} rows in the order to print
 * @param {import('./terminal.js').Format & { changed?: Set<string>, tags?: string[], wide?: boolean }} options changed: base
 * URLs of the rows to mark; tags: keys of tags, which replace the version
 * @returns {string[]}
 */
function memberTable(rows, { changed = new Set(), tags = [], wide = false, ...format }) {
  const before = ['name', 'state', 'for', 'why'].filter((name) => isUsed(rows, name));
  const version = tags.length > 0 ? [] : ['version'].filter((name) => isUsed(rows, name));
  const after = ['seen', ...(wide ? ['role', 'protocol', 'failures', 'found by'] : [])].filter((it) =>
    isUsed(rows, it),
  );
  const lines = rows.map((row) => {
    const cell = (/** @type {string} */ name) => /** @type {Cell} */ ([row.cells[name] ?? '', styleOf(name, row)]);
    const own = row.tags.map((value) => /** @type {Cell} */ ([value]));
    const cells = [...[...before, ...version].map(cell), ...own, ...after.map(cell)];
    return changed.has(row.baseUrl) ? marked(cells, format.colour) : cells;
  });
  const names = [...before, ...version, ...tags, ...after];
  const isTag = (/** @type {number} */ i) => i >= before.length && i < before.length + tags.length;
  const heads = names.map((name, i) => /** @type {Cell} */ ([isTag(i) ? printable(name) : name.toUpperCase(), 'dim']));
  const flexible = names.flatMap((name, i) => (FLEXIBLE.includes(name) && !isTag(i) ? [i] : []));
  return formatTable([heads, ...lines], { ...format, flexible });
}

/** @param {Row[]} rows @param {string} column */
const isUsed = (rows, column) => ['name', 'state'].includes(column) || rows.some(({ cells }) => cells[column] !== '');

/**
 * @param {Cell[]} cells
 * @param {boolean} colour
 * @returns {Cell[]}
 */
function marked(cells, colour) {
  if (colour) return cells.map(([text]) => [text, 'inverse']);
  return cells.map(([text], i) => [i === 0 ? `${text} *` : text]);
}

/**
 * @param {string} column
 * @param {Row} row
 */
const styleOf = (column, row) => (column === 'state' ? (COLOURS[row.state] ?? 'dim') : undefined);

const SORT_ORDERS = Object.keys(ORDERS);

module.exports = { SORT_ORDERS, memberRows, memberTable, sortRows };
