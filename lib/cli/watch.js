'use strict';

const { setTimeout: sleep } = require('node:timers/promises');
const { Refusal, ask } = require('./server.js');
const { plain, rowsOfList, rowsOfStatus, table } = require('./show.js');

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
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => stop.abort());
  const asked = { ...server, signal: stop.signal };
  /** @type {Map<string, { state: string, at: number }>} */
  const last = new Map();
  let isFirst = true;
  let told = '';
  /** @type {'status' | 'list'} */
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
        if (stop.signal.aborted) break;
        if (isFirst || !(error instanceof Refusal)) throw error;
        problem = plain(error.message);
      }
      if (!problem) note(rows);
      if (isLive) draw(rows, problem);
      else if (problem !== told && json) line({ error: problem || null });
      else if (problem !== told) console.error(problem || `${server.base} answers again`);
      told = problem;
      isFirst = false;
      await sleep(EVERY, undefined, { signal: stop.signal }).catch(() => {});
    }
  } finally {
    if (isLive) stdout.write('\x1b[?25h\x1b[?1049l');
  }
  return 0;

  async function read() {
    if (route === 'status') {
      try {
        return rowsOfStatus(await ask(asked, route));
      } catch (error) {
        // Routes that are written by hand have the list alone.
        if (!(error instanceof Refusal) || error.kind !== 'no status') throw error;
        route = 'list';
      }
    }
    return rowsOfList(await ask(asked, route));
  }

  /** @param {Row[]} rows */
  function note(rows) {
    const now = new Map(rows.map(({ baseUrl, state }) => [baseUrl, state]));
    for (const url of last.keys()) if (!now.has(url)) tell(url, 'forgotten');
    for (const [url, state] of now) if (last.get(url)?.state !== state) tell(url, state);
  }

  /**
   * @param {string} url
   * @param {string} state
   */
  function tell(url, state) {
    if (state === 'forgotten') last.delete(url);
    else last.set(url, { state, at: isFirst ? 0 : Date.now() });
    if (isLive) return;
    if (json) line({ server: url, state });
    else stdout.write(`${new Date().toISOString()} ${state.padEnd(8)} ${plain(url)}\n`);
  }

  /** @param {object} value */
  function line(value) {
    stdout.write(`${JSON.stringify({ at: new Date().toISOString(), ...value })}\n`);
  }

  /**
   * @param {Row[]} rows
   * @param {string} problem
   */
  function draw(rows, problem) {
    // A terminal that does not know its size says 0.
    const [columns, height] = [stdout.columns || 80, stdout.rows || 24];
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
