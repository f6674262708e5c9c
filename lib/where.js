'use strict';

// Turns a condition on the tags of servers into a function. Used by the API, the integrations and the command line.

/** @typedef {Readonly<Record<string, string>>} Tags */

/**
 * @template {{ tags?: Tags | undefined }} T
 * @param {Record<string, string | readonly string[]> | ((server: T) => boolean) | undefined} where
 * @returns {(server: T) => boolean} throws a TypeError for what is not a condition: it must not match all servers
 */
function matcher(where) {
  if (where === undefined) return () => true;
  if (typeof where === 'function') return where;
  if (typeof where !== 'object' || where === null || Array.isArray(where))
    throw new TypeError('where is neither an object nor a function');
  const conditions = Object.entries(where).map(([key, value]) => {
    const values = new Set(Array.isArray(value) ? value : [value]);
    for (const one of values) {
      if (typeof one !== 'string') throw new TypeError(`where.${key} is neither a string nor an array of strings`);
    }
    return /** @type {const} */ ([key, values]);
  });
  return ({ tags }) => {
    const own = tags ?? {};
    return conditions.every(([key, values]) => Object.hasOwn(own, key) && values.has(own[key]));
  };
}

module.exports = { matcher };
