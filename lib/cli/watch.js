'use strict';

// The `watch` command: a live table on a terminal, else one line for each change.

const { setTimeout: sleep } = require('node:timers/promises');
const { printable } = require('../printable.js');
const { CommandError } = require('./command-error.js');
const { foldLeft } = require('./folding.js');
const { memberTable, rowsOfList, rowsOfStatus } = require('./member-table.js');
const { print, printError, printJson, redact } = require('./output.js');
const { callRoute } = require('./server-routes.js');

const POLL_MS = 1_000;
/** How long a changed row is marked. */
const MARK_MS = 5_000;

const OPEN_SCREEN = '\x1b[?1049h\x1b[?25l';
const CLOSE_SCREEN = '\x1b[?25h\x1b[?1049l';
const CURSOR_HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** @typedef {import('./server-options.js').Server} Server */
/** @typedef {import('./member-table.js').Row} Row */
/** @typedef {import('./tag-options.js').TagOptions} TagOptions */
/** @typedef {{ baseUrl: string, state: string, tags: string[] }} Change */

/**
 * @typedef {object} Display
 * @property {(rows: Row[], changes: Change[]) => void} update after each answer
 * @property {(problem: string) => void} fail after each failed request
 * @property {(done: () => void) => void} close
 */

/**
 * Shows the servers until it is interrupted; rejects if the first request fails.
 * @param {{ server: Server, json: boolean, colour: boolean, all: boolean, tags: TagOptions }} context
 * @returns {Promise<number>}
 */
async function watch({ server, json, colour, all, tags }) {
  const readRows = memberReader(server, tags);
  /** @type {Map<string, Row>} */
  let before = new Map();
  /** @type {Display | undefined} */
  let display;
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => (display ? display.close(() => process.exit(0)) : process.exit(0)));
  }
  try {
    for (;;) {
      try {
        const rows = await readRows();
        const isScreen = process.stdout.isTTY && !json;
        display ??= isScreen ? screenDisplay(server, { colour, all }, tags) : lineDisplay(server, json, tags);
        const next = new Map(rows.map((row) => [row.baseUrl, row]));
        display.update(rows, changesBetween(before, next));
        before = next;
      } catch (error) {
        if (!display || !(error instanceof CommandError)) throw error;
        display.fail(printable(error.message));
      }
      await sleep(POLL_MS);
    }
  } finally {
    display?.close(() => {});
  }
}

/**
 * @param {Server} server
 * @param {TagOptions} tags
 */
function memberReader(server, tags) {
  let hasStatus = true;
  return async () => {
    if (hasStatus) {
      try {
        /** @type {import('../../index.js').ShazbotStatus} */
        const status = await callRoute(server, 'status');
        return rowsOfStatus({ ...status, members: status.members.filter(tags.matches) }, tags);
      } catch (error) {
        if (!(error instanceof CommandError) || error.kind !== 'no status' || tags.isUsed) throw error;
        // Servers whose routes are written by hand have only the list, without tags.
        hasStatus = false;
      }
    }
    return rowsOfList(await callRoute(server, 'list'));
  };
}

/**
 * @param {Map<string, Row>} before by base URL
 * @param {Map<string, Row>} after
 * @returns {Change[]}
 */
function changesBetween(before, after) {
  const forgotten = [...before.keys()].filter((baseUrl) => !after.has(baseUrl));
  const isChanged = (/** @type {Row} */ { baseUrl, state, tags }) => {
    const old = before.get(baseUrl);
    return old?.state !== state || old.tags.some((value, i) => value !== tags[i]);
  };
  const changed = [...after.values()].filter(isChanged);
  return [
    ...forgotten.map((baseUrl) => ({ baseUrl, state: 'forgotten', tags: [] })),
    ...changed.map(({ baseUrl, state, tags }) => ({ baseUrl, state, tags })),
  ];
}

/**
 * @param {Server} server
 * @param {boolean} json
 * @param {TagOptions} options
 * @returns {Display}
 */
function lineDisplay({ base }, json, { shown }) {
  let lastProblem = '';
  const printChange = (/** @type {object} */ value) => printJson({ at: new Date().toISOString(), ...value }, 0);
  const setProblem = (/** @type {string} */ problem) => {
    if (problem === lastProblem) return;
    lastProblem = problem;
    if (json) printChange({ error: problem || null });
    else printError(problem || `${base} answers again`);
  };
  return {
    update(_, changes) {
      for (const { baseUrl, state, tags } of changes) {
        const pairs = shown.map((key, i) => /** @type {const} */ ([key, tags[i] ?? ''])).filter(([, value]) => value);
        if (json) printChange({ server: baseUrl, state, ...(shown.length > 0 && { tags: Object.fromEntries(pairs) }) });
        else {
          const text = pairs.map(([key, value]) => ` ${printable(key)}=${value}`).join('');
          print(`${new Date().toISOString()} ${state.padEnd(8)} ${printable(baseUrl)}${text}`);
        }
      }
      setProblem('');
    },
    fail: setProblem,
    close: (done) => done(),
  };
}

/**
 * @param {Server} server
 * @param {{ colour: boolean, all: boolean }} options
 * @param {TagOptions} tags
 * @returns {Display}
 */
function screenDisplay({ base }, { colour, all }, tags) {
  const { stdout } = process;
  /** @type {Map<string, number>} When each server last changed. */
  const changedAt = new Map();
  let isFirst = true;
  const draw = (/** @type {string} */ title, /** @type {string[]} */ lines) => {
    const text = [title.slice(0, columns() - 1), '', ...lines].map((line) => line + CLEAR_LINE).join('\r\n');
    stdout.write(CURSOR_HOME + redact(text) + CLEAR_BELOW);
  };
  stdout.write(OPEN_SCREEN);
  return {
    update(rows, changes) {
      const now = Date.now();
      if (!isFirst) for (const { baseUrl } of changes) changedAt.set(baseUrl, now);
      isFirst = false;
      for (const [baseUrl, at] of changedAt) if (now - at >= MARK_MS) changedAt.delete(baseUrl);
      const online = rows.filter(({ state }) => state === 'online' || state === 'suspect').length;
      // Those that left are not expected to be online: they must not look like an outage.
      const expected = rows.filter(({ state }) => state !== 'left').length;
      const { shown, note } = foldLeft(rows, all);
      const title = `${online} of ${expected} online, as seen by ${base}. Ctrl-C to quit. ${note.join('')}`;
      const changed = new Set(changedAt.keys());
      const table = memberTable(shown, { colour, width: columns() - 1, changed, tags: tags.shown });
      draw(title, firstLines(table));
    },
    fail: (problem) => draw(problem, []),
    close: (done) => void stdout.write(CLOSE_SCREEN, done),
  };
}

// A terminal that does not know its size reports 0.
const columns = () => process.stdout.columns || 80;

/**
 * The lines that fit on the terminal below the title.
 * @param {string[]} lines
 */
function firstLines(lines) {
  const room = (process.stdout.rows || 24) - 3;
  if (lines.length <= room) return lines;
  return [...lines.slice(0, room - 1), `… and ${lines.length - room + 1} more`];
}

module.exports = { watch };
