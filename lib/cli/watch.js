'use strict';

// Shows the members until it is interrupted: a live table on a terminal, else one line for each change.

const { setTimeout: sleep } = require('node:timers/promises');
const { printable } = require('../printable.js');
const { CommandError } = require('./command-error.js');
const { viewReader } = require('./members.js');
const { print, printError, printJson, redact } = require('./output.js');
const { endWithPackageManager } = require('./processes.js');
const { terminalWidth } = require('./terminal.js');

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
/** @typedef {InstanceType<typeof import('./selection.js').Selection>} Selection */
/** @typedef {{ baseUrl: string, state: string, tags: string[] }} Change */

/**
 * @typedef {object} Display
 * @property {(rows: Row[], changes: Change[]) => void} update after each answer
 * @property {(problem: string) => void} fail after each failed request
 * @property {(done: () => void) => void} close
 */

/**
 * Rejects if the first request fails.
 * @param {{ server: Server, json: boolean, colour: boolean, selection: Selection }} context
 * @returns {Promise<number>}
 */
async function watchMembers({ server, json, colour, selection }) {
  const readView = viewReader(server, selection.tags.isUsed);
  /** @type {Map<string, Row>} */
  let before = new Map();
  /** @type {Display | undefined} */
  let display;
  endWithPackageManager(process.env);
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => (display ? display.close(() => process.exit(0)) : process.exit(0)));
  }
  try {
    for (;;) {
      try {
        const rows = selection.rows(await readView());
        const isScreen = process.stdout.isTTY && !json;
        display ??= isScreen ? screenDisplay(server, colour, selection) : lineDisplay(server, json, selection);
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
 * @param {Selection} selection
 * @returns {Display}
 */
function lineDisplay({ base }, json, selection) {
  const { shown } = selection.tags;
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
        if (state !== 'forgotten' && !selection.hasState(state)) continue;
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
 * @param {boolean} colour
 * @param {Selection} selection
 * @returns {Display}
 */
function screenDisplay({ base }, colour, selection) {
  const { stdout } = process;
  /** @type {Map<string, number>} When each server last changed. */
  const changedAt = new Map();
  let isFirst = true;
  // A terminal may wrap a line that fills it.
  const width = () => (terminalWidth() ?? 80) - 1;
  const draw = (/** @type {string} */ title, /** @type {string[]} */ lines) => {
    const text = [title.slice(0, width()), '', ...lines].map((line) => line + CLEAR_LINE).join('\r\n');
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
      const changed = new Set(changedAt.keys());
      const { table, note } = selection.table(rows, { colour, width: width(), changed });
      const title = `${online} of ${expected} online, as seen by ${base}. Ctrl-C to quit. ${note.join('')}`;
      draw(title, firstLines(table));
    },
    fail: (problem) => draw(problem, []),
    close: (done) => void stdout.write(CLOSE_SCREEN, done),
  };
}

/**
 * The lines that fit on the terminal below the title.
 * @param {string[]} lines
 */
function firstLines(lines) {
  const room = (process.stdout.rows || 24) - 3;
  if (lines.length <= room) return lines;
  return [...lines.slice(0, room - 1), `… and ${lines.length - room + 1} more`];
}

module.exports = { watchMembers };
