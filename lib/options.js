'use strict';

// Checks the options and arguments that programs pass: an unknown name or a wrong value is a TypeError at once.

const { isLiteral, misspeltName, unknownName, unknownOptions } = require('./unknown-names.js');

/** Returns what is wrong with a value, as a sentence, or undefined if nothing is. @typedef {(name: string, value: any) => string | undefined} Kind */
/** The options of a function by name. @typedef {Readonly<Record<string, Kind>>} Kinds */

/** Timers of Node fire at once if their delay is longer. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * @param {string} expected
 * @param {(value: any) => boolean} isRight
 * @returns {Kind}
 */
const kind = (expected, isRight) => (name, value) =>
  isRight(value) ? undefined : `${name} must be ${expected}, not ${shown(value)}`;

const isDelay = (/** @type {unknown} */ value) => typeof value === 'number' && value >= 0 && value <= MAX_DELAY_MS;
const isCount = (/** @type {unknown} */ value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isText = (/** @type {unknown} */ value) => typeof value === 'string';
/** @param {string} method */
const has = (method) => (/** @type {any} */ value) => typeof value?.[method] === 'function';

const isObject = kind('an object', (value) => typeof value === 'object' && value !== null && !Array.isArray(value));

const kinds = {
  /** Checked elsewhere. @type {Kind} */
  any: () => undefined,
  text: kind('a string', isText),
  texts: kind('an array of strings', (value) => Array.isArray(value) && value.every(isText)),
  flag: kind('a boolean', (value) => typeof value === 'boolean'),
  callback: kind('a function', (value) => typeof value === 'function'),
  list: kind('an array', Array.isArray),
  count: kind('a whole number', isCount),
  attempts: kind(
    'a whole number of at least 1, or Infinity',
    (value) => value === Infinity || (isCount(value) && value > 0),
  ),
  delay: kind(`a number of milliseconds from 0 to ${MAX_DELAY_MS}`, isDelay),
  timeout: kind(
    `a number of milliseconds from 0 to ${MAX_DELAY_MS}, or Infinity`,
    (value) => value === Infinity || isDelay(value),
  ),
  port: kind(
    'a port number',
    (value) => /^\d{1,5}$/.test(String(value)) && Number(value) > 0 && Number(value) < 65_536,
  ),
  signal: kind('an AbortSignal', has('throwIfAborted')),
  dispatcher: kind('a dispatcher of undici', has('dispatch')),
  registry: kind('a registry of prom-client', has('registerMetric')),
};

/**
 * Throws a TypeError if an argument is wrong.
 * @param {string} caller the function, for the error
 * @param {string} name
 * @param {unknown} value
 * @param {Kind} kind
 */
function checkArgument(caller, name, value, kind) {
  const problem = kind(name, value);
  if (problem !== undefined) throw new TypeError(`${caller}: ${problem}`);
}

/**
 * Throws a TypeError if options have an unknown name or a wrong value. An option that is undefined counts as not given.
 * @param {string} caller
 * @param {unknown} options
 * @param {Kinds} known
 */
function checkOptions(caller, options, known) {
  if (options === undefined) return;
  checkArgument(caller, 'the options', options, isObject);
  const [unknown] = unknownOptions(caller, Object(options), Object.keys(known));
  if (unknown !== undefined) throw unknownName(unknown);
  checkValues(caller, options, known);
}

/**
 * For options of which some belong to another package, whose names are not all known here: an unknown name is an error only if
 * it looks like a misspelt one of ours.
 * @param {string} caller
 * @param {unknown} options
 * @param {Kinds} known
 */
function checkSharedOptions(caller, options, known) {
  checkArgument(caller, 'the options', options, isObject);
  const misspelt = misspeltName(caller, Object(options), Object.keys(known));
  if (misspelt !== undefined) throw unknownName(misspelt);
  checkValues(caller, options, known);
}

/**
 * @param {string} caller
 * @param {any} options
 * @param {Kinds} known
 */
function checkValues(caller, options, known) {
  // A loop, because this runs for each request of the program.
  for (const name of Object.keys(known)) {
    const problem = problemOf(options, name, known);
    if (problem !== undefined) throw new TypeError(`${caller}: ${problem}`);
  }
}

/**
 * @param {any} options
 * @param {string} name
 * @param {Kinds} known
 */
function problemOf(options, name, known) {
  const value = options[name];
  return value === undefined ? undefined : known[name]?.(name, value);
}

/**
 * Whether a value is an object whose properties are meant: a literal, or an instance of a class with fields. A Map, a promise and
 * the like have no properties of their own.
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
const isRecord = (value) =>
  isLiteral(value) || (isObject('', value) === undefined && Object.keys(Object(value)).length > 0);

/**
 * A value in an error message.
 * @param {any} value
 * @returns {string}
 */
function shown(value) {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.slice(0, 5).map(shown).join(', ')}]`;
  return isLiteral(value) ? 'an object' : `an instance of ${value.constructor?.name}`;
}

module.exports = { checkArgument, checkOptions, checkSharedOptions, isRecord, kinds, problemOf, shown };
