'use strict';

// Checks of the environment variables.

const { fillBaseUrl } = require('../../base-url.js');
const { unknownVariables } = require('../../config.js');
const { IN_CODE } = require('../server-options.js');
const { mustBeWritable } = require('./list-files.js');

/** @typedef {import('./doctor.js').Finding} Finding */

/**
 * Fills in the placeholders of the base URL, as the server does when it starts.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ env: NodeJS.ProcessEnv, findings: Finding[] }>}
 */
async function checkBaseUrl(env) {
  const { baseUrl, taken, problems } = await fillBaseUrl(env);
  const what = 'environment';
  return {
    env: { ...env, SHAZBOT_BASE_URL: baseUrl ?? '' },
    findings: [
      ...problems.map((says) => /** @type {Finding} */ ({ what, is: 'wrong', says })),
      ...(taken ? [/** @type {Finding} */ ({ what, is: 'fine', says: taken })] : []),
    ],
  };
}

/**
 * Has the engine check all variables, without starting it.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Finding[]}
 */
function checkEnvironment(env) {
  const what = 'environment';
  let result;
  try {
    // Loaded here because the other commands work without the binary; here a missing one is a finding.
    result = require('../../binary.js').Engine.check(require('../../tags.js').withTags(env));
  } catch (error) {
    return [{ what: 'binary', is: 'wrong', says: /** @type {Error} */ (error).message }];
  }
  const doubts = (/** @type {string[]} */ texts) =>
    texts.map((says) => /** @type {Finding} */ ({ what, is: 'worth a look', says }));
  const unknown = doubts(unknownVariables(env));
  if (!Array.isArray(result)) {
    const lines = result.message.split('\n');
    // Several errors come below a heading.
    const errors = lines.length > 1 ? lines.slice(1) : lines;
    const wrong = errors.map((text) => /** @type {Finding} */ ({ what, is: 'wrong', says: text.trim() }));
    // Nobody has just one part of the configuration in code.
    const isInCode = !env.SHAZBOT_SECRET && !env.SHAZBOT_BASE_URL && !env.SHAZBOT_MASTER_LIST;
    return [...wrong, ...(isInCode ? doubts([IN_CODE]) : []), ...unknown];
  }
  if (result.length + unknown.length > 0) return [...doubts(result), ...unknown];
  return [{ what, is: 'fine', says: 'all variables are valid' }];
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Finding[]>}
 */
async function checkStateFile({ SHAZBOT_STATE_FILE: file }) {
  if (!file) return [];
  const what = 'SHAZBOT_STATE_FILE';
  try {
    await mustBeWritable(file);
    return [{ what, is: 'fine', says: `the current user can write ${file}` }];
  } catch (error) {
    return [{ what, is: 'wrong', says: /** @type {Error} */ (error).message }];
  }
}

/**
 * @param {import('./facts.js').Facts} facts
 * @returns {Finding[]}
 */
function checkInterval({ env, isValid, status }) {
  const here = Number(env.SHAZBOT_GOSSIP_INTERVAL || 30);
  const running = status.answer?.interval;
  if (!isValid || running === undefined || running === here) return [];
  const says = `it is ${here} s here, but the server runs with ${running} s: all servers need the same interval`;
  return [{ what: 'SHAZBOT_GOSSIP_INTERVAL', is: 'worth a look', says }];
}

module.exports = { checkBaseUrl, checkEnvironment, checkInterval, checkStateFile };
