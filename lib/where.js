'use strict';

// Turns a condition on the tags of servers into a function. Used by the API, the integrations and the command line.

const { isRecord, shown } = require('./options.js');

/** @typedef {Readonly<Record<string, string>>} Tags */

/**
 * The kind of an option that is a condition. A malformed one must be an error: it would match all servers.
 * @type {import('./options.js').Kind}
 */
function condition(name, where) {
  if (typeof where === 'function') return undefined;
  if (!isRecord(where)) return `${name} must be an object of strings or a function, not ${shown(where)}`;
  for (const key of Object.keys(where)) {
    const value = where[key];
    const isRight = Array.isArray(value) ? value.every((it) => typeof it === 'string') : typeof value === 'string';
    if (!isRight) return `${name}.${key} must be a string or an array of strings, not ${shown(value)}`;
  }
  return undefined;
}

/** @type {import('./options.js').Kind} */
function conditions(name, all) {
  if (!Array.isArray(all)) return `${name} must be an array of conditions, not ${shown(all)}`;
  return all.map((one, i) => condition(`${name}[${i}]`, one)).find(Boolean);
}

/**
 * @template {{ tags?: Tags | undefined }} T
 * @param {Readonly<Record<string, string | readonly string[]>> | ((server: T) => boolean)} [where] default: matches all servers
 * @returns {(server: T) => boolean} throws a TypeError for what is not a condition
 */
function matcher(where = {}) {
  if (typeof where === 'function') return (server) => decided(where(server));
  const problem = condition('where', where);
  if (problem !== undefined) throw new TypeError(problem);
  const wanted = Object.entries(where).map(([key, value]) => /** @type {const} */ ([key, new Set([value].flat())]));
  return ({ tags }) => {
    const own = tags ?? {};
    return wanted.every(([key, values]) => Object.hasOwn(own, key) && values.has(own[key]));
  };
}

/**
 * @param {any} matches what the program's function has returned
 * @returns {boolean}
 */
function decided(matches) {
  if (typeof matches?.then === 'function') throw new TypeError('where must return a boolean, not a promise');
  return matches;
}

module.exports = { condition, conditions, matcher };
