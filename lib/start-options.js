'use strict';

// Turns what is passed to `shazbotStart`, and the environment, into the variables that the engine reads.

const { ANY_URL, fillBaseUrl } = require('./base-url.js');
const { Engine } = require('./binary.js');
const { START_OPTIONS, unknownVariables, withConfig } = require('./config.js');
const { DISCOVER } = require('./discovery.js');
const { shazbotError } = require('./errors.js');
const { kinds, problemOf } = require('./options.js');
const { tagsKind, withTags } = require('./tags.js');
const { isLiteral, unknownOptions } = require('./unknown-names.js');

/** Stands for a wrong port, so that the base URL is not reported too. */
const ANY_PORT = 1;

/** @typedef {import('../index.js').ShazbotStartOptions} Options */
/**
 * @typedef {object} Prepared
 * @property {boolean} [isDisabled] nothing is to start, and nothing else was checked
 * @property {NodeJS.ProcessEnv} environment
 * @property {string | undefined} taken what the placeholders of the base URL were filled in with
 * @property {string[]} doubts about the environment, a sentence each
 * @property {Options['discover']} discover
 */

/**
 * Throws or rejects with all that is wrong. Returns a promise only if it has to wait.
 * @param {NodeJS.ProcessEnv} environment
 * @param {unknown} options
 * @returns {Prepared | Promise<Prepared>}
 */
function prepareStart(environment, options) {
  const { config, discover, port, tags, problems } = readOptions(options);
  const configured = withConfig(environment, config);
  problems.push(...configured.problems);
  const enabled = configured.environment.SHAZBOT_ENABLED?.toLowerCase() || 'true';
  if (enabled === 'false') return disabled(configured.environment);
  if (enabled !== 'true') problems.push('SHAZBOT_ENABLED is invalid: it must be true or false');
  const tagged = withTags(configured.environment, tags);
  const filled = fillBaseUrl(tagged, { port });
  if (filled instanceof Promise) return filled.then((it) => prepare(tagged, it, problems, discover));
  return prepare(tagged, filled, problems, discover);
}

/**
 * @param {NodeJS.ProcessEnv} environment
 * @returns {Prepared}
 */
const disabled = (environment) => ({
  isDisabled: true,
  environment,
  taken: undefined,
  doubts: [],
  discover: undefined,
});

/**
 * @param {NodeJS.ProcessEnv} environment
 * @param {import('./base-url.js').Filled} filled
 * @param {string[]} problems
 * @param {Options['discover']} discover
 * @returns {Prepared}
 */
function prepare(environment, { baseUrl = ANY_URL, taken, problems: ofUrl }, problems, discover) {
  const lists = [environment.SHAZBOT_MASTER_LIST, discover && DISCOVER].filter(Boolean).join(' ');
  const complete = { ...environment, SHAZBOT_BASE_URL: baseUrl, SHAZBOT_MASTER_LIST: lists };
  const doubts = unknownVariables(environment);
  const found = [...problems, ...ofUrl];
  if (found.length > 0) throw invalidConfig([...found, ...problemsOf(complete), ...doubts]);
  return { environment: complete, taken, doubts, discover };
}

/**
 * @param {any} options
 * @returns {Options & { problems: string[] }} without the values that are wrong, so that the other problems are found
 */
function readOptions(options) {
  if (!areOptions(options)) return { problems: [] };
  const { config, discover, port, tags } = options;
  const values = { discover: kinds.callback, port: kinds.port, tags: tagsKind };
  const [wrongDiscover, wrongPort, wrongTags] = Object.keys(values).map((name) => problemOf(options, name, values));
  const wrong = [wrongDiscover, wrongPort, wrongTags].flatMap((it) => (it ? [`shazbotStart: ${it}`] : []));
  return {
    config,
    discover: wrongDiscover ? undefined : discover,
    port: wrongPort ? ANY_PORT : port,
    tags: wrongTags ? undefined : tags,
    problems: [...unknownOptions('shazbotStart', options, Object.keys(START_OPTIONS)), ...wrong],
  };
}

/**
 * Whether an argument is options, and not what a callback or a promise of another library gives: an error, the name of a signal, a
 * server, its address, a database. Options may be an instance of a class.
 * @param {any} argument
 */
function areOptions(argument) {
  // `listen` of Node passes no address, but that of other servers may.
  if (isLiteral(argument)) return !('family' in argument);
  if (typeof argument !== 'object' || argument === null || hasMethods(argument)) return false;
  return Object.keys(START_OPTIONS).some((name) => argument[name] !== undefined);
}

/**
 * Options have none, apart from `discover`.
 * @param {object} object
 */
function hasMethods(object) {
  // All but `Object.prototype`, also that of another realm.
  for (let it = object; it && Object.getPrototypeOf(it); it = Object.getPrototypeOf(it)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(it))) {
      if (typeof value === 'function' && name !== 'constructor' && !Object.hasOwn(START_OPTIONS, name)) return true;
    }
  }
  return false;
}

/**
 * What the engine finds wrong with the variables.
 * @param {NodeJS.ProcessEnv} environment
 * @returns {string[]}
 */
function problemsOf(environment) {
  const result = Engine.check(environment);
  return Array.isArray(result) ? [] : linesOf(result.message);
}

/** @param {string} message of an invalid configuration */
function linesOf(message) {
  const lines = message.split('\n');
  // Several come below a heading.
  return (lines.length > 1 ? lines.slice(1) : lines).map((line) => line.trim());
}

/**
 * The error for a start that the engine refused. A misspelt variable may be the one that it misses.
 * @param {import('./native').Failure} failure
 * @param {string[]} doubts about the environment
 */
function startError(failure, doubts) {
  if (failure.code !== 'SHAZBOT_INVALID_CONFIG') return shazbotError(failure);
  return invalidConfig([...linesOf(failure.message), ...doubts]);
}

/** @param {string[]} problems */
function invalidConfig(problems) {
  const message = problems.length === 1 ? String(problems[0]) : `Invalid configuration:\n  ${problems.join('\n  ')}`;
  return shazbotError({ code: 'SHAZBOT_INVALID_CONFIG', status: 500, message });
}

module.exports = { prepareStart, startError };
