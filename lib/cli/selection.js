'use strict';

// The options that say which members a table shows, and in which order.

const { CommandError } = require('./command-error.js');
const { SORT_ORDERS, memberRows, memberTable, sortRows } = require('./member-table.js');
const { foldLeft } = require('./folding.js');
const { split, tagOptions } = require('./tag-options.js');

const STATES = ['online', 'suspect', 'drained', 'failed', 'left', 'offline'];

/** @typedef {import('./member-table.js').Row} Row */
/** @typedef {import('./commands.js').Invocation} Invocation */

/** What a command shows of the members of a view. */
class Selection {
  #all;
  #states;
  #sort;
  #wide;

  /** @param {Invocation['values']} values */
  constructor({ all = false, state = [], sort, output, where, tags }) {
    this.tags = tagOptions({ where, tags });
    this.#states = split(state);
    this.#sort = sort;
    this.#wide = output === 'wide';
    // Who asks for those that left wants to see them.
    this.#all = all || this.#states.includes('left');
    const wrong = this.#states.find((it) => !STATES.includes(it));
    if (wrong) throw new CommandError(`--state must be some of ${STATES.join(', ')}, not "${wrong}"`, 2);
    if (sort !== undefined && !SORT_ORDERS.includes(sort)) {
      throw new CommandError(`--sort must be one of ${SORT_ORDERS.join(', ')}, not "${sort}"`, 2);
    }
  }

  /**
   * @param {import('./members.js').View} view
   * @returns {Row[]} of the members with the tags of --where, sorted
   */
  rows(view) {
    const members = view.members.filter((member) => this.tags.matches(member));
    return sortRows(memberRows({ ...view, members }, this.tags), this.#sort);
  }

  /** Whether --state names this state. @param {string} state */
  hasState(state) {
    return this.#states.length === 0 || this.#states.includes(state);
  }

  /**
   * @param {Row[]} rows
   * @param {import('./terminal.js').Format & { changed?: Set<string> }} format
   * @returns {{ table: string[], note: string[] }} note: lines for below the table
   */
  table(rows, format) {
    const { shown, note } = foldLeft(
      rows.filter(({ state }) => this.hasState(state)),
      this.#all,
    );
    const options = { ...format, tags: this.tags.shown, wide: this.#wide };
    return { table: memberTable(shown, options), note: this.#states.length > 0 ? [] : note };
  }
}

module.exports = { Selection };
