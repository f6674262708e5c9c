'use strict';

// The tags of this server: reads SHAZBOT_TAGS with its word `auto`, and replaces them while the engine runs.

const { readFileSync } = require('node:fs');
const path = require('node:path');
const { version } = require('../package.json');
const { isDisabled } = require('./disabled.js');
const { engine } = require('./engine.js');
const { shazbotError, unwrap } = require('./errors.js');
const { isRecord, shown } = require('./options.js');

/** @typedef {Record<string, string>} Tags */

/** In SHAZBOT_TAGS: adds the versions of this package and of the program. */
const AUTO = 'auto';

/**
 * The environment as the engine reads it: SHAZBOT_TAGS without the word `auto`, and with all tags in it.
 * @param {NodeJS.ProcessEnv} environment
 * @param {Tags} [tags] that are added to those of SHAZBOT_TAGS, or replace them
 * @returns {NodeJS.ProcessEnv}
 */
function withTags(environment, tags = {}) {
  const { SHAZBOT_TAGS: text = '' } = environment;
  const words = text.trim().startsWith('{') ? [] : text.split(',').map((word) => word.trim());
  const isAuto = words.includes(AUTO);
  if (!isAuto && Object.keys(tags).length === 0) return environment;
  const given = words.length > 0 ? parse(words.filter((word) => word && word !== AUTO)) : parseJson(text);
  // The engine reports what is wrong with it.
  if (!given) return { ...environment, SHAZBOT_TAGS: words.filter((word) => word !== AUTO).join() || text };
  return { ...environment, SHAZBOT_TAGS: JSON.stringify({ ...(isAuto && autoTags()), ...given, ...tags }) };
}

/**
 * @param {string[]} words
 * @returns {Tags | undefined} undefined if one is malformed or a key is given twice
 */
function parse(words) {
  const pairs = words.map((word) => /^([^=]*?)\s*=\s*(.*)$/s.exec(word)?.slice(1));
  const tags = Object.fromEntries(pairs.map((pair) => pair ?? []));
  return Object.keys(tags).length === words.length && pairs.every(Boolean) ? tags : undefined;
}

/**
 * @param {string} text
 * @returns {Tags | undefined}
 */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @returns {Tags} */
function autoTags() {
  const program = programPackage();
  return {
    shazbot: version,
    ...(isPlain(program?.name) && { name: program.name }),
    ...(isPlain(program?.version) && { version: program.version }),
  };
}

/**
 * Whether a field of a package.json can be the value of a tag.
 * @param {unknown} text
 */
const isPlain = (text) => typeof text === 'string' && /^[\x20-\x7e]{1,128}$/.test(text);

/**
 * The nearest package.json above the program that has a name or a version; above the working directory if the program is a
 * tool in node_modules.
 */
function programPackage() {
  const file = process.argv[1] ?? '';
  let folder = !file || file.includes(`${path.sep}node_modules${path.sep}`) ? process.cwd() : path.dirname(file);
  for (;;) {
    const found = readPackage(path.join(folder, 'package.json'));
    if (found?.name || found?.version) return found;
    const parent = path.dirname(folder);
    if (parent === folder) return undefined;
    folder = parent;
  }
}

/** @param {string} file */
function readPackage(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** @type {typeof import('../index.js').shazbotSetTags} */
function setTags(tags) {
  const problem = tagsKind('tags', tags);
  if (problem) throw shazbotError({ code: 'SHAZBOT_INVALID_TAGS', status: 400, message: `Invalid tags: ${problem}` });
  if (!isDisabled()) unwrap(engine.setTags(Object.entries(tags).flat()));
}

/**
 * The kind of an option that is tags. The engine checks the rest.
 * @type {import('./options.js').Kind}
 */
function tagsKind(name, tags) {
  if (!isRecord(tags)) return `${name} must be an object of strings, not ${shown(tags)}`;
  const wrong = Object.entries(tags).find(([, value]) => typeof value !== 'string');
  return wrong && `${name}.${wrong[0]} must be a string, not ${shown(wrong[1])}`;
}

module.exports = { setTags, tagsKind, withTags };
