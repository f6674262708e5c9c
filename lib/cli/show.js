'use strict';

/** @typedef {import('../../index.js').ShazbotStatus} Status */
/** @typedef {{ baseUrl: string, state: string, server: string, why: string, age: string, protocol: string }} Row */

const COLOURS = /** @type {Record<string, number>} */ ({
  online: 32,
  suspect: 33,
  drained: 35,
  failed: 31,
  offline: 31,
});

/**
 * Whether colours are wanted, as NO_COLOR and FORCE_COLOR say.
 * @param {{ isTTY?: boolean }} stream
 * @param {NodeJS.ProcessEnv} env
 */
function hasColour(stream, env) {
  if (env.NO_COLOR) return false;
  return env.FORCE_COLOR ? env.FORCE_COLOR !== '0' : Boolean(stream.isTTY) && env.TERM !== 'dumb';
}

/** @param {number} ms */
function span(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5_400) return `${Math.round(s / 60)} min`;
  return s < 129_600 ? `${Math.round(s / 3_600)} h` : `${Math.round(s / 86_400)} d`;
}

/** What others say goes to a terminal, which obeys control characters, and those that turn the direction. @param {string} text */
const plain = (text) => String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');

/**
 * @param {Status} status
 * @returns {Row[]}
 */
function rowsOfStatus({ members, baseUrl, at }) {
  return members.map((it) => ({
    baseUrl: it.baseUrl,
    state: plain(it.state === 'offline' ? (it.reason ?? 'offline') : it.state),
    server: plain(it.baseUrl) + (it.monitor ? ' (monitor)' : '') + (it.baseUrl === baseUrl ? ' (this)' : ''),
    why: it.by ? `says ${plain(it.by)}` : it.state === 'suspect' ? plain(`${it.failures} failures`) : '',
    // A leave is stamped ahead of its time.
    age: span(at - (it.state === 'offline' ? it.since : it.lastUpdate)),
    protocol: plain(String(it.protocol)),
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
    server: plain(it.baseUrl) + (it.monitor ? ' (monitor)' : ''),
    why: '',
    age: span(Date.now() - it.lastUpdate),
    protocol: '',
  });
  return [...online.map(row('online')), ...offline.map(row('offline'))];
}

/**
 * Rows in columns, online first, then by URL.
 * @param {Row[]} rows
 * @param {{ colour: boolean, width?: number | undefined, changed?: Set<string> }} options `changed`: servers that are marked
 */
function table(rows, { colour, width = Number.POSITIVE_INFINITY, changed = new Set() }) {
  const rank = (/** @type {Row} */ { state }) => ['online', 'suspect'].indexOf(state) + 1 || 3;
  const sorted = rows.toSorted((a, b) => rank(a) - rank(b) || (a.server < b.server ? -1 : 1));
  const head = { baseUrl: '', state: 'STATE', server: 'SERVER', why: 'WHY', age: 'AGE', protocol: 'P' };
  const columns = /** @type {const} */ (['state', 'age', 'server', 'why', 'protocol']);
  const used = columns.filter((name) => rows.some((row) => row[name] !== ''));
  const widths = Object.fromEntries(
    used.map((name) => [name, Math.max(...[head, ...rows].map((it) => it[name].length))]),
  );
  return [head, ...sorted].map((row) => {
    const text = used
      .map((name) => row[name].padEnd(Number(widths[name])))
      .join('  ')
      .trimEnd()
      .slice(0, width);
    if (!colour) return changed.has(row.baseUrl) ? `${text.slice(0, width - 2)} *` : text;
    if (row === head) return `\x1b[2m${text}\x1b[0m`;
    const painted = `\x1b[${COLOURS[row.state] ?? 2}m${text.slice(0, row.state.length)}\x1b[0m`;
    return changed.has(row.baseUrl) ? `\x1b[7m${text}\x1b[0m` : painted + text.slice(row.state.length);
  });
}

module.exports = { hasColour, plain, rowsOfList, rowsOfStatus, span, table };
