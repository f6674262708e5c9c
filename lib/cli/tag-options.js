'use strict';

// The options --where and --tags: which servers a command shows, and which of their tags.

const { printable } = require('../printable.js');
const { matcher } = require('../where.js');
const { CommandError } = require('./command-error.js');

/** @typedef {{ baseUrl: string, tags?: Readonly<Record<string, string>> | undefined }} Tagged */
/** @typedef {{ isUsed: boolean, shown: string[], matches: (server: Tagged) => boolean }} TagOptions shown: keys of tags */

/**
 * @param {{ where?: string[] | undefined, tags?: string[] | undefined }} options
 * @returns {TagOptions}
 */
function tagOptions({ where = [], tags = [] }) {
  /** @type {Map<string, string[]>} */
  const values = new Map();
  for (const condition of split(where)) {
    const [key = '', ...rest] = condition.split('=');
    if (!key || rest.length === 0) throw new CommandError(`--where must be key=value, not "${condition}"`, 2);
    values.set(key.trim(), [...(values.get(key.trim()) ?? []), rest.join('=').trim()]);
  }
  const shown = [...new Set(split(tags))];
  const isUsed = values.size > 0 || shown.length > 0;
  return { isUsed, shown, matches: matcher(Object.fromEntries(values)) };
}

/** @param {string[]} lists with commas between the items */
const split = (lists) =>
  lists
    .flatMap((list) => list.split(','))
    .map((it) => it.trim())
    .filter(Boolean);

/**
 * The values of the tags that are shown, in their order; empty where a server does not have one.
 * @param {TagOptions} options
 * @param {Tagged} server
 */
const shownTags = ({ shown }, { tags }) =>
  shown.map((key) => (Object.hasOwn(tags ?? {}, key) ? printable(String(tags?.[key])) : ''));

module.exports = { shownTags, split, tagOptions };
