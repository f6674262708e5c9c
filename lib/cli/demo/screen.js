'use strict';

// Shows the progress of the demo: a table on a terminal, else one line for each change.

const { formatLine, formatTable, hasColour } = require('../terminal.js');
const { agreedOwner } = require('./job.js');

/**
 * @typedef {import('./cluster.js').Server} Server
 * @typedef {import('./cluster.js').Listing} Listing
 * @typedef {import('../terminal.js').Cell} Cell
 *
 * @typedef {object} Step
 * @property {string} name
 * @property {string} goal what must be true for the step to succeed
 * @property {number} [began] ms since the demo began
 * @property {number} [took] ms, once it has ended
 * @property {'done' | 'failed'} [outcome]
 *
 * @typedef {object} State
 * @property {string} title
 * @property {string} page where the page is, and how to log in
 * @property {string} job the key whose owner is shown
 * @property {Server[]} servers
 * @property {Step[]} steps
 * @property {string[]} notes lines below the table, once all steps are done
 *
 * @typedef {object} Screen
 * @property {() => void} update after any change of the servers
 * @property {(step: Step) => void} step after it has begun, and after it has ended
 * @property {() => void} note after the notes have been set
 * @property {() => void} end
 */

/** @type {Record<Listing, [text: string, style: import('../terminal.js').Style]>} */
const LISTINGS = { online: ['● online', 'green'], offline: ['○ offline', 'red'], unknown: ['· unlisted', 'dim'] };
/** The longest text of a cell, so that columns keep their width. */
const CELL = 10;
const WIDTH = 78;
const SPINNER = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const FRAME_MS = 100;

/** A table that is redrawn in place, for a terminal. */
class LiveScreen {
  #out;
  #state;
  #colour;
  #drawn = 0;
  #frames = 0;
  #timer;

  /**
   * @param {NodeJS.WriteStream} out
   * @param {State} state
   * @param {boolean} colour
   */
  constructor(out, state, colour) {
    this.#out = out;
    this.#state = state;
    this.#colour = colour;
    this.#out.write('\x1b[?25l');
    this.#timer = setInterval(() => this.#draw(), FRAME_MS);
  }

  /**
   * Whether the terminal can hold the table: moving the cursor up in a smaller one would leave old frames behind.
   *
   * @param {NodeJS.WriteStream} out
   * @param {State} state
   */
  static fits(out, state) {
    const lines = frame(state, 0, { colour: false }).length;
    return out.isTTY && process.env.TERM !== 'dumb' && out.columns >= WIDTH && out.rows > lines + 4;
  }

  update() {}

  step() {}

  note() {}

  /** Draws the last frame, which stays. */
  end() {
    clearInterval(this.#timer);
    this.#draw();
    this.#out.write('\x1b[?25h');
  }

  #draw() {
    const lines = frame(this.#state, this.#frames++, { colour: this.#colour, width: this.#out.columns });
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A\r` : '';
    this.#out.write(`${up + lines.map((line) => `${line}\x1b[K`).join('\n')}\n\x1b[J`);
    this.#drawn = lines.length;
  }
}

/** A line for each change, for a pipe or a file. */
class LineScreen {
  #out;
  #state;
  #format;
  /** @type {Map<Server, Listing[]>} */
  #views = new Map();
  /** @type {Map<Server, Server['child']>} */
  #children = new Map();
  /** @type {number | undefined} */
  #owner;

  /**
   * @param {NodeJS.WritableStream} out
   * @param {State} state
   * @param {boolean} colour
   */
  constructor(out, state, colour) {
    this.#out = out;
    this.#state = state;
    this.#format = { colour };
    this.#print([[state.title, 'bold']]);
    for (const { number, baseUrl } of state.servers) this.#print([[`server ${number} is ${baseUrl}`]]);
    this.#print([[state.page]]);
  }

  update() {
    for (const server of this.#state.servers) {
      if (server.child !== (this.#children.get(server) ?? null)) {
        this.#children.set(server, server.child);
        this.#event(server, server.child ? [[`runs as pid ${server.child.pid}`]] : [['stopped', 'yellow']]);
      }
      if (server.view) this.#printChanges(server, server.view);
      else if (!server.child) this.#views.delete(server);
    }
    const owner = agreedOwner(this.#state.job, this.#state.servers);
    if (owner === undefined || owner === this.#owner) return;
    this.#owner = owner;
    this.#timed([[`${this.#state.job} belongs to `], [`server ${owner}`, 'bold']]);
  }

  /** @param {Step} step */
  step(step) {
    const text = `${step.name}: ${step.goal}`;
    const took = formatSeconds(step.took);
    if (step.outcome === 'done') this.#print([['✔ ', 'green'], [`${text}, after ${took}`]]);
    else if (step.outcome === 'failed') this.#print([['✘ ', 'red'], [`${text}, not within ${took}`]]);
    else this.#print([['▸ ', 'cyan'], /** @type {Cell} */ ([text, 'bold'])]);
  }

  note() {
    for (const note of this.#state.notes) this.#print([[note]]);
  }

  end() {
    this.#out.write(`\n${stepLines(this.#state, 0, this.#format).join('\n')}\n`);
  }

  /**
   * @param {Server} server
   * @param {Listing[]} view
   */
  #printChanges(server, view) {
    const before = this.#views.get(server);
    this.#views.set(server, view);
    for (const [listing, [text, style]] of Object.entries(LISTINGS)) {
      const changed = view.flatMap((now, i) => (now === listing && now !== (before?.[i] ?? 'unknown') ? i + 1 : []));
      if (changed.length > 0) this.#event(server, [[`${changed.join(', ')} `], [text.slice(2), style]]);
    }
  }

  /**
   * @param {Server} server
   * @param {Cell[]} cells
   */
  #event(server, cells) {
    this.#timed([[`server ${server.number}: `], ...cells]);
  }

  /** @param {Cell[]} cells */
  #timed(cells) {
    this.#print([[`${formatSeconds(performance.now()).padStart(9)}  `, 'dim'], ...cells]);
  }

  /** @param {Cell[]} cells */
  #print(cells) {
    this.#out.write(`${formatLine(cells, this.#format)}\n`);
  }
}

/**
 * @param {State} state
 * @param {number} count of frames so far
 * @param {import('../terminal.js').Format} format
 * @returns {string[]}
 */
function frame(state, count, format) {
  /** @type {Cell[]} */
  const head = [[''], ['sees →'], ...state.servers.map(({ number, port }) => cell(`${number} :${port}`, 'bold'))];
  return [
    '',
    formatLine([[`  ${state.title}`, 'bold']], format),
    formatLine([[`  ${state.page}`]], format),
    '',
    ...formatTable([head, ...state.servers.map(viewCells)], format),
    formatLine(jobCells(state), format),
    '',
    ...stepLines(state, count, format),
    ...state.notes.map((note) => formatLine([[`  ${note}`]], format)),
  ];
}

/**
 * @param {State} state
 * @returns {Cell[]}
 */
function jobCells({ job, servers }) {
  const owner = agreedOwner(job, servers);
  return [[`  ${job} belongs to  `], owner ? [`server ${owner}`, 'bold'] : ['not agreed yet', 'dim']];
}

/**
 * @param {Server} server
 * @returns {Cell[]}
 */
function viewCells({ number, child, view }) {
  /** @type {Cell[]} */
  const head = [
    [`  ${number}`, 'bold'],
    [(child?.pid ? `pid ${child.pid}` : '').padEnd(11), 'dim'],
  ];
  if (!child) return [...head, cell('stopped', 'yellow')];
  if (!view) return [...head, cell('starting', 'dim')];
  return [...head, ...view.map((listing) => cell(...LISTINGS[listing]))];
}

/**
 * @param {State} state
 * @param {number} count of frames so far
 * @param {import('../terminal.js').Format} format
 */
function stepLines({ steps }, count, format) {
  /** @type {Cell[]} */
  const head = [
    ['    step', 'dim'],
    ['until', 'dim'],
    ['took'.padStart(8), 'dim'],
  ];
  return formatTable([head, ...steps.map((step) => stepCells(step, count))], format);
}

/**
 * @param {Step} step
 * @param {number} count of frames so far
 * @returns {Cell[]}
 */
function stepCells(step, count) {
  const { name, goal, began, outcome } = step;
  const isWaiting = began === undefined;
  const marks = { done: '✔', failed: '✘', running: SPINNER[count % SPINNER.length], waiting: '·' };
  const progress = outcome ?? (isWaiting ? 'waiting' : 'running');
  const style = /** @type {const} */ ({ done: 'green', failed: 'red', running: 'cyan', waiting: 'dim' })[progress];
  const took = isWaiting ? '' : formatSeconds(step.took ?? performance.now() - began);
  return [
    [`  ${marks[progress]} ${name}`, style],
    [goal, 'dim'],
    [took.padStart(8), outcome === 'done' ? 'bold' : 'dim'],
  ];
}

/**
 * @param {string} text
 * @param {import('../terminal.js').Style} style
 * @returns {Cell}
 */
function cell(text, style) {
  return [text.padEnd(CELL), style];
}

/** @param {number} [ms] */
function formatSeconds(ms = 0) {
  return `${(ms / 1000).toFixed(2)} s`;
}

/**
 * @param {State} state
 * @returns {Screen}
 */
function openScreen(state) {
  const out = process.stdout;
  const colour = hasColour(out, process.env);
  return LiveScreen.fits(out, state) ? new LiveScreen(out, state, colour) : new LineScreen(out, state, colour);
}

module.exports = { formatSeconds, openScreen };
