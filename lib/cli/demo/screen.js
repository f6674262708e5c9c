'use strict';

const { hasColour } = require('../show.js');

/**
 * @typedef {import('./cluster.js').Server} Server
 * @typedef {import('./cluster.js').Opinion} Opinion
 *
 * @typedef {object} Step
 * @property {string} name
 * @property {string} goal what must come about
 * @property {number} [began] ms since the demo began
 * @property {number} [took] ms, once it has come about
 * @property {'done' | 'failed'} [outcome]
 *
 * @typedef {object} State
 * @property {string} title
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

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };
/** @typedef {keyof typeof STYLES} Style */
/** @typedef {[text: string, style?: Style]} Piece */

/** @type {Record<Opinion, Piece>} */
const OPINIONS = { online: ['● online', 'green'], offline: ['○ offline', 'red'], unknown: ['· not listed', 'dim'] };
const CELL = 13;
const WIDTH = 13 + 5 * CELL;
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

  /** Whether the terminal can hold the table: moving up in one that is too small would leave old frames behind. */
  static fits(/** @type {NodeJS.WriteStream} */ out, /** @type {State} */ state) {
    return out.isTTY && process.env.TERM !== 'dumb' && out.columns >= WIDTH && out.rows > frame(state, 0).length + 4;
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
    const lines = frame(this.#state, this.#frames++).map((line) => paint(line, this.#out.columns, this.#colour));
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A\r` : '';
    this.#out.write(`${up + lines.map((line) => `${line}\x1b[K`).join('\n')}\n\x1b[J`);
    this.#drawn = lines.length;
  }
}

/** A line for each change, for a pipe or a file. */
class LineScreen {
  #out;
  #state;
  #colour;
  /** @type {Map<Server, string[]>} */
  #shown = new Map();
  /** @type {Map<Server, Server['child']>} */
  #ran = new Map();

  /**
   * @param {NodeJS.WritableStream} out
   * @param {State} state
   * @param {boolean} colour
   */
  constructor(out, state, colour) {
    this.#out = out;
    this.#state = state;
    this.#colour = colour;
    this.#line([[state.title, 'bold']]);
    for (const { number, baseUrl } of state.servers) this.#line([[`server ${number} is ${baseUrl}`]]);
  }

  update() {
    for (const server of this.#state.servers) {
      if (server.child !== (this.#ran.get(server) ?? null)) {
        this.#ran.set(server, server.child);
        this.#event(server, server.child ? [[`runs as pid ${server.child.pid}`]] : [['not running', 'yellow']]);
      }
      const before = this.#shown.get(server) ?? server.view?.map(() => 'unknown');
      if (!server.view || !before) {
        if (!server.child) this.#shown.delete(server);
        continue;
      }
      const { view } = server;
      for (const [opinion, [text, style]] of Object.entries(OPINIONS)) {
        const changed = view.flatMap((now, i) => (now === opinion && before[i] !== now ? i + 1 : []));
        if (changed.length > 0) this.#event(server, [[`${changed.join(', ')} `], [text.slice(2), style]]);
      }
      this.#shown.set(server, view);
    }
  }

  /** @param {Step} step */
  step(step) {
    const text = `${step.name}: ${step.goal}`;
    if (step.outcome === undefined)
      this.#line([
        ['▸ ', 'cyan'],
        [text, 'bold'],
      ]);
    else if (step.outcome === 'done') this.#line([['✔ ', 'green'], [`${text}, after ${seconds(step.took)}`]]);
    else this.#line([['✘ ', 'red'], [`${text}, not within ${seconds(step.took)}`]]);
  }

  note() {
    for (const note of this.#state.notes) this.#line([[note]]);
  }

  end() {
    this.#line([]);
    for (const line of stepLines(this.#state, 0)) this.#line(line);
  }

  /**
   * @param {Server} server
   * @param {Piece[]} pieces
   */
  #event(server, pieces) {
    this.#line([[`${seconds(performance.now()).padStart(9)}  `, 'dim'], [`server ${server.number}: `], ...pieces]);
  }

  /** @param {Piece[]} pieces */
  #line(pieces) {
    this.#out.write(`${paint(pieces, Number.POSITIVE_INFINITY, this.#colour)}\n`);
  }
}

/**
 * @param {State} state
 * @param {number} count of frames so far
 * @returns {Piece[][]}
 */
function frame(state, count) {
  return [
    [],
    [[`  ${state.title}`, 'bold']],
    [],
    [['  sees →      '], ...state.servers.map(({ number, port }) => cell(`${number} :${port}`, 'bold'))],
    ...state.servers.map((server) => [...rowHead(server), ...rowCells(server)]),
    [],
    ...stepLines(state, count),
    ...state.notes.map((note) => /** @type {Piece[]} */ ([[`  ${note}`]])),
  ];
}

/**
 * @param {Server} server
 * @returns {Piece[]}
 */
function rowHead({ number, child }) {
  return [
    [`  ${number} `, 'bold'],
    [String(child?.pid ? `pid ${child.pid}` : '').padEnd(10), 'dim'],
  ];
}

/**
 * @param {Server} server
 * @returns {Piece[]}
 */
function rowCells({ child, view }) {
  if (!child) return [['not running', 'yellow']];
  if (!view) return [['starting', 'dim']];
  return view.map((opinion) => cell(...OPINIONS[opinion]));
}

/**
 * @param {State} state
 * @param {number} count
 * @returns {Piece[][]}
 */
function stepLines({ steps }, count) {
  const name = Math.max(...steps.map((step) => step.name.length)) + 2;
  const goal = Math.max(...steps.map((step) => step.goal.length)) + 2;
  /** @type {Piece[]} */
  const head = [[`    ${'step'.padEnd(name)}${'until'.padEnd(goal)}${'took'.padStart(8)}`, 'dim']];
  const rows = steps.map((step) => {
    /** @type {Piece} */
    const mark =
      step.outcome === 'done'
        ? ['✔', 'green']
        : step.outcome === 'failed'
          ? ['✘', 'red']
          : step.began === undefined
            ? ['·', 'dim']
            : [SPINNER[count % SPINNER.length], 'cyan'];
    const time = step.took ?? (step.began === undefined ? undefined : performance.now() - step.began);
    /** @type {Piece} */
    const title = [` ${step.name.padEnd(name)}`, step.began === undefined ? 'dim' : undefined];
    /** @type {Piece[]} */
    const line = [
      ['  '],
      mark,
      title,
      [step.goal.padEnd(goal), 'dim'],
      [(time === undefined ? '' : seconds(time)).padStart(8), step.outcome === 'done' ? 'bold' : 'dim'],
    ];
    return line;
  });
  return [head, ...rows];
}

/**
 * @param {string} text
 * @param {Style} [style]
 * @returns {Piece}
 */
function cell(text, style) {
  return [text.padEnd(CELL), style];
}

/** @param {number} [ms] */
function seconds(ms = 0) {
  return `${(ms / 1000).toFixed(2)} s`;
}

/**
 * @param {Piece[]} pieces
 * @param {number} columns
 * @param {boolean} colour
 */
function paint(pieces, columns, colour) {
  let left = columns;
  let line = '';
  for (const [text, style] of pieces) {
    const cut = text.slice(0, left);
    left -= cut.length;
    line += colour && style ? `\x1b[${STYLES[style]}m${cut}\x1b[0m` : cut;
  }
  return line.trimEnd();
}

/**
 * One that fits where the output goes.
 *
 * @param {State} state
 * @returns {Screen}
 */
function openScreen(state) {
  const out = process.stdout;
  const colour = hasColour(out, process.env);
  return LiveScreen.fits(out, state) ? new LiveScreen(out, state, colour) : new LineScreen(out, state, colour);
}

module.exports = { openScreen, seconds };
