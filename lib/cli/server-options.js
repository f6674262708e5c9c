'use strict';

// Which server a command asks, and with which secret: from its options and the environment.

const { readFileSync } = require('node:fs');
const { fillBaseUrl } = require('../base-url.js');
const { CommandError } = require('./command-error.js');
const { addSecret } = require('./output.js');

/** What somebody needs to know whose environment lacks variables. */
const IN_CODE =
  'If the program has its configuration in code, pass --url and --secret-file: a command sees the environment only';

/** @typedef {{ url?: string | undefined, 'secret-file'?: string | undefined, timeout?: string | undefined }} Options common to all commands */

/**
 * @typedef {object} Server
 * @property {URL} base the base URL that requests go to
 * @property {string} listedAs the base URL that the server should have in lists
 * @property {string} secret the control secret, or ''
 * @property {string} secretFrom where the secret came from, for messages
 * @property {number} timeout ms
 */

/**
 * The server that a command asks. Fills in the placeholders of SHAZBOT_BASE_URL, as the server does it.
 * @param {{ values: Options, env: NodeJS.ProcessEnv }} invocation
 * @returns {Promise<Server>}
 */
async function serverOf({ values, env }) {
  const { baseUrl, problems } = await fillBaseUrl(env);
  if (problems[0] && !values.url) throw new CommandError(problems[0], 2, 'no server');
  return serverOptions(values, { ...env, SHAZBOT_BASE_URL: baseUrl ?? '' });
}

/**
 * @param {Options} options
 * @param {NodeJS.ProcessEnv} env
 * @returns {Server}
 */
function serverOptions({ url = '', 'secret-file': secretFile = '', timeout = '5' }, env) {
  const text = url || env.SHAZBOT_BASE_URL;
  if (!text) {
    const remedy = `Set SHAZBOT_BASE_URL, or pass --url http://127.0.0.1:3000/ or --env-file .env. ${IN_CODE}`;
    throw new CommandError(`No server given. ${remedy}`, 2, 'no server');
  }
  const base = parseBaseUrl(text);
  if (!base) {
    const rule = 'must be an http or https URL without user name, query and fragment, such as http://127.0.0.1:3000/';
    throw new CommandError(`${url ? '--url' : 'SHAZBOT_BASE_URL'} ${rule}`, 2, 'no server');
  }
  const seconds = Number(timeout);
  if (!(seconds > 0 && seconds <= 3600)) {
    throw new CommandError('--timeout must be a number of seconds, more than 0 and at most 3600', 2);
  }
  return { base, listedAs: listedAs(base, env), ...controlSecret(secretFile, env), timeout: seconds * 1000 };
}

/**
 * @param {URL} base
 * @param {NodeJS.ProcessEnv} env
 */
function listedAs(base, env) {
  // A health check in a container asks 127.0.0.1, while the lists have the base URL of the environment.
  const own = isLoopback(base.hostname) ? parseBaseUrl(env.SHAZBOT_BASE_URL ?? '') : undefined;
  // With another port on this machine it is another server.
  return own && (own.port === base.port || !isLoopback(own.hostname)) ? own.href : base.href;
}

/**
 * @param {string} text
 * @returns {URL | undefined} undefined if it is not a valid base URL
 */
function parseBaseUrl(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) return;
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** @param {string} hostname of a parsed URL */
const isLoopback = (hostname) => /^(?:localhost|127\..*|\[::1\])$/.test(hostname);

/**
 * There is no option for the secret itself: others on the machine can read command lines.
 * @param {string} option
 * @param {NodeJS.ProcessEnv} env
 */
function controlSecret(option, env) {
  const file = option || env.SHAZBOT_CONTROL_SECRET_FILE;
  if (!file) return { secret: env.SHAZBOT_CONTROL_SECRET ?? '', secretFrom: 'SHAZBOT_CONTROL_SECRET' };
  let secret = '';
  try {
    secret = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CommandError(`Cannot read the secret from ${file}: ${/** @type {Error} */ (error).message}`, 2);
  }
  if (!secret) throw new CommandError(`Cannot read the secret from ${file}: the file is empty`, 2);
  addSecret(secret);
  return { secret, secretFrom: `the secret in ${file}` };
}

/**
 * Whether members that a server lists may get the control secret. Anyone with the gossip secret can invent a member.
 * @param {{ values: { 'ask-all'?: boolean | undefined }, env: NodeJS.ProcessEnv }} invocation
 */
function mayHaveSecret({ values, env }) {
  return Boolean(values['ask-all'] || env.SHAZBOT_ALLOWED_ORIGINS);
}

module.exports = { IN_CODE, isLoopback, mayHaveSecret, parseBaseUrl, serverOf, serverOptions };
