'use strict';

// The table of servers that `list`, `status` and `watch` print.

const { printable } = require('../printable.js');
const { shownTags } = require('./tag-options.js');
const { formatDuration, formatTable } = require('./terminal.js');

/** @typedef {{ baseUrl: string, state: string, server: string, why: string, age: string, protocol: string, tags: string[] }} Row tags: values of those that are shown */

const COLOURS = /** @type {Record<string, import('./terminal.js').Style>} */ ({
  online: 'green',
  suspect: 'yellow',
  drained: 'magenta',
  failed: 'red',
  offline: 'red',
});

const HEAD = { state: 'STATE', server: 'SERVER', why: 'WHY', age: 'AGE', protocol: 'PROTOCOL' };

/**
 * @param {import('../../index.js').ShazbotStatus} status
 * @param {import('./tag-options.js').TagOptions} options
 * @returns {Row[]}
 */
function rowsOfStatus({ members, baseUrl, at }, options) {
  return members.map((it) => ({
    baseUrl: it.baseUrl,
    state: printable(it.state === 'offline' ? (it.reason ?? 'offline') : it.state),
    server: printable(it.baseUrl) + (it.monitor ? ' (monitor)' : '') + (it.baseUrl === baseUrl ? ' (this)' : ''),
    why: it.by ? `reported by ${printable(it.by)}` : it.state === 'suspect' ? printable(`${it.failures} failures`) : '',
    // The lastUpdate of a server that left lies in the future.
    age: formatDuration(at - (it.state === 'offline' ? it.since : it.lastUpdate)),
    protocol: printable(String(it.protocol)),
    tags: shownTags(options, it),
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
    tags: [],
  });
  return [...online.map(row('online')), ...offline.map(row('offline'))];
}

/**
 * Sorts online servers first and those that left last, then by URL, and leaves out columns without a value.
 * @param {Row[]} rows
 * @param {import('./terminal.js').Format & { changed?: Set<string>, tags?: string[] }} options changed: base URLs of the rows
 * to mark; tags: the keys of the columns with tags, which are always shown
 * @returns {string[]}
 */
function memberTable(rows, { changed = new Set(), tags = [], ...format }) {
  const rank = (/** @type {Row} */ { state }) => ['online', 'suspect'].indexOf(state) + 1 || (state === 'left' ? 4 : 3);
  const sorted = rows.toSorted((a, b) => rank(a) - rank(b) || (a.server < b.server ? -1 : 1));
  const columns = /** @type {const} */ (['state', 'age', 'server', 'why', 'protocol']);
  const used = columns.filter((name) => rows.some((row) => row[name] !== ''));
  const lines = sorted.map((row) => {
    const isChanged = changed.has(row.baseUrl);
    /** @type {import('./terminal.js').Cell[]} */
    const cells = [
      ...used.map((name) => /** @type {import('./terminal.js').Cell} */ ([row[name], styleOf(name, row)])),
      ...row.tags.map((value) => /** @type {import('./terminal.js').Cell} */ ([value])),
    ];
    if (!isChanged) return cells;
    if (format.colour) return cells.map(([text]) => /** @type {typeof cells[0]} */ ([text, 'inverse']));
    return cells.map(([text], i) => /** @type {typeof cells[0]} */ ([i === 0 ? `${text} *` : text]));
  });
  const heads = [...used.map((name) => HEAD[name]), ...tags.map((key) => printable(key))];
  return formatTable([heads.map((text) => [text, 'dim']), ...lines], format);
}

/**
 * @param {keyof Row} column
 * @param {Row} row
 */
const styleOf = (column, row) => (column === 'state' ? (COLOURS[row.state] ?? 'dim') : undefined);

module.exports = { memberTable, rowsOfList, rowsOfStatus };
