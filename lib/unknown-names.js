'use strict';

// Finds unknown names of options, settings and events, and suggests the name that was meant.

const { withLink } = require('./errors.js');

/** The most typing errors in a name for which another name is suggested; fewer in a short one. */
const MAX_TYPOS = 3;

/**
 * The first name that is not known and looks like a misspelt known one.
 * @param {string} caller the function, for the error
 * @param {object} options
 * @param {readonly string[]} known
 * @returns {string | undefined} a sentence
 */
function misspeltName(caller, options, known) {
  const misspelt = unknownIn(options, known).find((name) => isMisspelt(name, known));
  return misspelt && problemOf(caller, 'option', misspelt, known);
}

/**
 * @param {string} caller
 * @param {object} options
 * @param {readonly string[]} known
 * @returns {string[]} a sentence for each unknown name
 */
function unknownOptions(caller, options, known) {
  return unknownIn(options, known).map((name) => problemOf(caller, 'option', name, known));
}

/**
 * @param {object} options
 * @param {readonly string[]} known
 */
function unknownIn(options, known) {
  return Object.entries(options).flatMap(([name, value]) =>
    value === undefined || known.includes(name) ? [] : [name],
  );
}

/**
 * Whether a value is an object literal. Programs of version 1 pass `shazbotStart` and `shazbotShutDown` as callbacks, which
 * may get an error, a server or the name of a signal.
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isLiteral(value) {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  // An object literal of another realm, as under Jest, has another prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * Throws a TypeError if an event has a name that is not known. Symbols are names of Node's own.
 * @param {string} emitter
 * @param {string | symbol} name
 * @param {readonly string[]} known
 * @param {readonly string[]} foreign names of Node's own
 */
function checkEventName(emitter, name, known, foreign) {
  if (typeof name === 'symbol' || known.includes(name) || foreign.includes(name)) return;
  throw unknownName(problemOf(emitter, 'event', name, known));
}

/**
 * @param {string} where
 * @param {'option' | 'event'} kind
 * @param {unknown} name
 * @param {readonly string[]} known
 */
function problemOf(where, kind, name, known) {
  const meant = suggestion(String(name), known) || '.';
  return `${where}: unknown ${kind} ${JSON.stringify(String(name))}${meant} The ${kind}s are: ${known.join(', ')}`;
}

/**
 * Whether a name is probably a misspelt or shortened known one. A name of another package may be near a short one by chance:
 * `host` to `port`, `path` to `page`.
 * @param {string} name
 * @param {readonly string[]} known
 */
function isMisspelt(name, known) {
  const isNear = (/** @type {string} */ one) =>
    one.startsWith(name) || distance(name.toLowerCase(), one.toLowerCase()) <= name.length / 4;
  return name.length > 4 && known.some(isNear);
}

/** @param {string} message */
function unknownName(message) {
  const code = 'SHAZBOT_UNKNOWN_NAME';
  return Object.assign(new TypeError(withLink(code, message)), { code });
}

/**
 * @param {string} name
 * @param {readonly string[]} known
 * @returns {string} the end of a sentence, or an empty text if no known name is near
 */
function suggestion(name, known) {
  // So that `baseUrl` and `BASE_URL` are near SHAZBOT_BASE_URL.
  const letters = (/** @type {string} */ text) => text.toLowerCase().replace(/^shazbot_?|_/g, '');
  const given = letters(name);
  const [near] = known
    .map((candidate) => ({
      candidate,
      typos: distance(given, letters(candidate)),
      same: prefix(given, letters(candidate)),
    }))
    .sort((a, b) => a.typos - b.typos || b.same - a.same);
  return near && near.typos <= Math.min(MAX_TYPOS, given.length / 2) ? `. Did you mean ${near.candidate}?` : '';
}

/**
 * How many letters are the same at the beginning of two texts.
 * @param {string} a
 * @param {string} b
 */
function prefix(a, b) {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

/**
 * How many letters must be inserted, removed or replaced to get one text from the other.
 * @param {string} a
 * @param {string} b
 */
function distance(a, b) {
  // Known names have at most 39 letters. A text that is longer than this is not a misspelt one, and would take long.
  if (a.length > 60) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = Number(row[j - 1]) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(Number(row[j]) + 1, Number(next[j - 1]) + 1, replaced));
    }
    row = next;
  }
  return Number(row[b.length]);
}

module.exports = { checkEventName, isLiteral, misspeltName, suggestion, unknownName, unknownOptions };
