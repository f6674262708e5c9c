'use strict';

// Collects the measured times, a row for each kind of change, and prints them.

const { progress } = require('../../shared/command.js');
const { percentile } = require('../../shared/statistics.js');
const { table } = require('../../shared/text.js');
const { build } = require('../build.js');
const { cleanUpAtExit, close } = require('../scope.js');
const { LIMIT } = require('./cluster.js');

/** No row starts another measurement after this time, ms. */
const BUDGET = 240_000;

/** @typedef {{ servers: number, interval: number, target: string }} Kind `interval` in s */
/**
 * @typedef {Kind & { what: string, times: number[], missed: number }} Row
 *   `times` in ms, in the order measured; `missed`: how many took longer than the limit
 */
/** Measures once. Resolves with ms, or with undefined if it took longer than the limit. @typedef {(n: number) => Promise<number | undefined>} Step */

class Rows {
  /** @type {Row[]} */
  #rows = [];

  /**
   * @param {string} what
   * @param {Kind} kind
   * @param {number} repeat
   * @param {Step} step also undoes the change
   */
  async measure(what, kind, repeat, step) {
    const row = this.#row(what, kind);
    const since = Date.now();
    for (let n = 0; n < repeat && Date.now() - since < BUDGET; n++) {
      progress(`${kind.servers} servers, one ${what}: ${n + 1} of ${repeat}`);
      add(row, await step(n));
    }
  }

  /**
   * Measures two changes, the second of which undoes the first.
   *
   * @param {[what: string, undone: string]} names
   * @param {Kind} kind
   * @param {number} repeat
   * @param {Step} act
   * @param {Step} undo
   */
  measurePair([what, undone], kind, repeat, act, undo) {
    return this.measure(what, kind, repeat, async (n) => {
      const ms = await act(n);
      add(this.#row(undone, kind), await undo(n));
      return ms;
    });
  }

  /** @param {string} what @param {Kind} kind */
  #row(what, kind) {
    const found = this.#rows.find((row) => row.what === what && row.servers === kind.servers);
    const row = found ?? { ...kind, what, times: [], missed: 0 };
    if (!found) this.#rows.push(row);
    return row;
  }

  toJson() {
    return JSON.stringify(this.#rows, undefined, 2);
  }

  toTable() {
    return table([['servers, interval', 'one', 'times', 'median', 'p99', 'target'], ...this.#rows.map(cells)]);
  }
}

/**
 * Builds the addon, measures, and prints the rows at exit: an interrupted run prints what it has.
 *
 * @param {boolean} json
 * @param {(rows: Rows) => Promise<void>} measure
 */
async function printRows(json, measure) {
  const rows = new Rows();
  build();
  cleanUpAtExit();
  process.on('exit', () => {
    progress('');
    console.log(json ? rows.toJson() : rows.toTable());
  });
  try {
    await measure(rows);
  } finally {
    await close();
  }
}

/** @param {Row} row @param {number | undefined} ms */
function add(row, ms) {
  if (ms === undefined) row.missed += 1;
  else row.times.push(ms);
}

/** @param {Row} row */
function cells({ servers, interval, what, times, missed, target }) {
  const all = [...times, ...Array.from({ length: missed }, () => Number.POSITIVE_INFINITY)];
  const shown = (/** @type {number} */ share) => {
    const ms = percentile(all, share);
    if (Number.isNaN(ms)) return '–';
    return Number.isFinite(ms) ? `${(ms / 1000).toFixed(2)} s` : `> ${LIMIT / 1000} s`;
  };
  return [`${servers}, ${interval} s`, what, String(all.length), shown(0.5), shown(0.99), target];
}

module.exports = { Rows, printRows };
