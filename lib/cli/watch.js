'use strict';

const { setTimeout: sleep } = require('node:timers/promises');
const { Refusal, ask } = require('./server.js');
const { rowsOfList, rowsOfStatus, table } = require('./show.js');

const EVERY = 1_000;
/** How long a change is marked, ms. */
const MARKED = 5_000;

/** @typedef {import('./show.js').Row} Row */

/**
 * Shows the servers until it is interrupted: as a table in a terminal, else a line for each change.
 * @param {{ server: import('./server.js').Server, json: boolean, colour: boolean }} context
 * @returns {Promise<number>}
 */
async function watch({ server, json, colour }) {
  const { stdout } = process;
  const isLive = Boolean(stdout.isTTY) && !json;
  const stop = new AbortController();
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.once(signal, () => stop.abort());
  /** @type {Map<string, { state: string, at: number }>} */
  const last = new Map();
  let isFirst = true;
  let route = 'status';
  if (isLive) stdout.write('\x1b[?1049h\x1b[?25l');
  try {
    while (!stop.signal.aborted) {
      /** @type {Row[]} */
      let rows = [];
      let problem = '';
      try {
        rows = await read();
      } catch (error) {
        if (isFirst || !(error instanceof Refusal)) throw error;
        problem = error.message;
      }
      if (!problem) note(rows);
      if (isLive) draw(rows, problem);
      isFirst &&= Boolean(problem);
      await sleep(EVERY, undefined, { signal: stop.signal }).catch(() => {});
    }
  } finally {
    if (isLive) stdout.write('\x1b[?25h\x1b[?1049l');
  }
  return 0;

  async function read() {
    if (route === 'status') {
      try {
        return rowsOfStatus(await ask(server, route));
      } catch (error) {
        // Routes that are written by hand have the list alone.
        if (!/has no status/.test(/** @type {Error} */ (error).message)) throw error;
        route = 'list';
      }
    }
    return rowsOfList(await ask(server, route));
  }

  /** @param {Row[]} rows */
  function note(rows) {
    for (const { server: name, state } of rows) {
      const known = last.get(name);
      if (known?.state === state) continue;
      last.set(name, { state, at: isFirst ? 0 : Date.now() });
      if (isLive) continue;
      const at = new Date().toISOString();
      stdout.write(json ? `${JSON.stringify({ at, server: name, state })}\n` : `${at} ${state.padEnd(8)} ${name}\n`);
    }
  }

  /**
   * @param {Row[]} rows
   * @param {string} problem
   */
  function draw(rows, problem) {
    const { columns = 80, rows: height = 24 } = stdout;
    const changed = new Set([...last].filter(([, { at }]) => Date.now() - at < MARKED).map(([name]) => name));
    const online = rows.filter(({ state }) => state === 'online' || state === 'suspect').length;
    const title = problem || `${online} of ${rows.length} online, as ${server.base} sees it. Ctrl-C ends this.`;
    const lines = table(rows, { colour, width: columns - 1, changed });
    const room = height - 3;
    const shown = lines.length > room ? [...lines.slice(0, room - 1), `… and ${lines.length - room + 1} more`] : lines;
    stdout.write(
      `\x1b[H${[title.slice(0, columns - 1), '', ...(problem ? [] : shown)].map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`,
    );
  }
}

module.exports = { watch };
