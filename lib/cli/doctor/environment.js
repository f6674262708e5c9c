'use strict';

// Checks of the environment variables.

const { fillBaseUrl } = require('../../base-url.js');
const { unknownVariables } = require('../../config.js');
const { IN_CODE } = require('../server-options.js');
const { mustBeWritable } = require('./list-files.js');

/** @typedef {import('../commands/doctor.js').Finding} Finding */

const check = 'environment';
const NO_BINARY = 'See docs/install-problems.md.';
/** How the engine reports a variable that is not set. */
const MISSING = /^Environment variable (\w+) is required/;

/**
 * Fills in the placeholders of the base URL, as the server does when it starts.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ env: NodeJS.ProcessEnv, findings: Finding[] }>}
 */
async function checkBaseUrl(env) {
  const { baseUrl, taken, problems } = await fillBaseUrl(env);
  return {
    env: { ...env, SHAZBOT_BASE_URL: baseUrl ?? '' },
    findings: [
      ...problems.map((found) => /** @type {Finding} */ ({ result: 'fail', check, found })),
      ...(taken ? [/** @type {Finding} */ ({ result: 'ok', check, found: taken })] : []),
    ],
  };
}

/**
 * Has the engine check all variables, without starting it.
 * @param {NodeJS.ProcessEnv} env
 * @param {{ mayLack: boolean }} options mayLack: whether the program may have variables that are not here
 * @returns {Finding[]}
 */
function checkEnvironment(env, { mayLack }) {
  let result;
  try {
    // Loaded here because the other commands work without the binary; here a missing one is a finding.
    result = require('../../binary.js').Engine.check(require('../../tags.js').withTags(env));
  } catch (error) {
    const found = /** @type {Error} */ (error).message;
    return [{ result: 'fail', check: 'binary', found, advice: NO_BINARY }];
  }
  const doubts = (/** @type {string[]} */ texts) =>
    texts.map((found) => /** @type {Finding} */ ({ result: 'warn', check, found }));
  const unknown = doubts(unknownVariables(env));
  if (!Array.isArray(result)) {
    const lines = result.message.split('\n');
    // Several errors come below a heading.
    const errors = (lines.length > 1 ? lines.slice(1) : lines).map((text) => text.trim());
    const missing = errors.flatMap((text) => MISSING.exec(text)?.[1] ?? []);
    const wrong = errors.filter((text) => !mayLack || !MISSING.test(text));
    return [
      ...(mayLack && missing.length > 0 ? [notChecked(missing)] : []),
      ...wrong.map((found) => /** @type {Finding} */ ({ result: 'fail', check, found })),
      ...(!mayLack && missing.length > 0 ? doubts([IN_CODE]) : []),
      ...unknown,
    ];
  }
  if (result.length + unknown.length > 0) return [...doubts(result), ...unknown];
  return [{ result: 'ok', check, found: 'all variables are valid' }];
}

/**
 * @param {string[]} names
 * @returns {Finding}
 */
const notChecked = (names) => ({ result: 'ok', check, found: `not set here, and so not checked: ${names.join(', ')}` });

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Finding[]>}
 */
async function checkStateFile({ SHAZBOT_STATE_FILE: file }) {
  if (!file) return [];
  const name = 'SHAZBOT_STATE_FILE';
  try {
    await mustBeWritable(file);
    return [{ result: 'ok', check: 'state file', found: `${name}: the current user can write ${file}` }];
  } catch (error) {
    const found = `${name}: ${/** @type {Error} */ (error).message}`;
    const advice = 'Correct the path, or its permissions for the user that the program runs as.';
    return [{ result: 'fail', check: 'state file', found, advice }];
  }
}

module.exports = { checkBaseUrl, checkEnvironment, checkStateFile };
