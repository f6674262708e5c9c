'use strict';

// The table of servers that `list`, `status` and `watch` print.

const { printable } = require('../printable.js');
const { formatDuration, formatTable } = require('./terminal.js');

/** @typedef {{ baseUrl: string, state: string, server: string, why: string, age: string, protocol: string }} Row */

const COLOURS = /** @type {Record<string, import('./terminal.js').Style>} */ ({
  online: 'green',
  suspect: 'yellow',
  drained: 'magenta',
  failed: 'red',
  offline: 'red',
});

const HEAD = { baseUrl: '', state: 'STATE', server: 'SERVER', why: 'WHY', age: 'AGE', protocol: 'PROTOCOL' };

/**
 * @param {import('../../index.js').ShazbotStatus} status
 * @returns {Row[]}
 */
function rowsOfStatus({ members, baseUrl, at }) {
  return members.map((it) => ({
    baseUrl: it.baseUrl,
    state: printable(it.state === 'offline' ? (it.reason ?? 'offline') : it.state),
    server: printable(it.baseUrl) + (it.monitor ? ' (monitor)' : '') + (it.baseUrl === baseUrl ? ' (this)' : ''),
    why: it.by ? `reported by ${printable(it.by)}` : it.state === 'suspect' ? printable(`${it.failures} failures`) : '',
    // The lastUpdate of a server that left lies in the future.
    age: formatDuration(at - (it.state === 'offline' ? it.since : it.lastUpdate)),
    protocol: printable(String(it.protocol)),
  }));
}

/**
 * @param {import('../../index.js').ServerList} list
 * @returns {Row[]}
 */
function rowsOfList({ online, offline = [] }) {
  const row = (/** @type {string} */ state) => (/** @type {import('../../index.js').GossipServer} */ it) => ({
    baseUrl: it.baseUrl,
    state,
    server: printable(it.baseUrl) + (it.monitor ? ' (monitor)' : ''),
    why: '',
    age: formatDuration(Date.now() - it.lastUpdate),
    protocol: '',
  });
  return [...online.map(row('online')), ...offline.map(row('offline'))];
}

/**
 * Sorts online servers first, then by URL, and leaves out columns without a value.
 * @param {Row[]} rows
 * @param {import('./terminal.js').Format & { changed?: Set<string> }} options changed: base URLs of the rows to mark
 * @returns {string[]}
 */
function memberTable(rows, { changed = new Set(), ...format }) {
  const rank = (/** @type {Row} */ { state }) => ['online', 'suspect'].indexOf(state) + 1 || 3;
  const sorted = rows.toSorted((a, b) => rank(a) - rank(b) || (a.server < b.server ? -1 : 1));
  const columns = /** @type {const} */ (['state', 'age', 'server', 'why', 'protocol']);
  const used = columns.filter((name) => rows.some((row) => row[name] !== ''));
  const lines = sorted.map((row) => {
    const isChanged = changed.has(row.baseUrl);
    const cells = used.map((name) => /** @type {import('./terminal.js').Cell} */ ([row[name], styleOf(name, row)]));
    if (!isChanged) return cells;
    if (format.colour) return cells.map(([text]) => /** @type {typeof cells[0]} */ ([text, 'inverse']));
    return cells.map(([text], i) => /** @type {typeof cells[0]} */ ([i === 0 ? `${text} *` : text]));
  });
  return formatTable([used.map((name) => [HEAD[name], 'dim']), ...lines], format);
}

/**
 * @param {keyof Row} column
 * @param {Row} row
 */
const styleOf = (column, row) => (column === 'state' ? (COLOURS[row.state] ?? 'dim') : undefined);

module.exports = { memberTable, rowsOfList, rowsOfStatus };
