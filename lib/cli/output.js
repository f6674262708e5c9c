'use strict';

// Prints everything that the commands print, without the secrets that they know: a server may send one back.

const { printable, printableJson } = require('../printable.js');

const SECRETS = [
  'SHAZBOT_SECRET',
  'SHAZBOT_SECRET_ALSO',
  'SHAZBOT_CONTROL_SECRET',
  'SHAZBOT_CONTROL_SECRET_ALSO',
  'SHAZBOT_MASTER_LIST_AUTH',
  'SHAZBOT_MASTER_LIST_UPDATE_AUTH',
];
/** A shorter text may be a part of ordinary words. */
const MIN_LENGTH = 4;

/** @type {Set<string>} */
const secrets = new Set();

/**
 * Never prints this text.
 * @param {string} secret
 */
function addSecret(secret) {
  if (secret.length >= MIN_LENGTH) secrets.add(secret);
}

/** @param {NodeJS.ProcessEnv} env */
function addSecretsOf(env) {
  for (const name of SECRETS) addSecret(env[name] ?? '');
}

/** @param {string} text */
function redact(text) {
  // One secret may be the beginning of another.
  const longestFirst = [...secrets].sort((a, b) => b.length - a.length);
  return longestFirst.reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
}

/**
 * Prints a text of our own: lines, colours. What other servers say in it must be `printable` already.
 * @param {string} text
 */
function print(text) {
  process.stdout.write(`${redact(text)}\n`);
}

/**
 * @param {unknown} value
 * @param {number} [indent]
 */
function printJson(value, indent = 2) {
  const redacted = (/** @type {string} */ _, /** @type {unknown} */ it) => (typeof it === 'string' ? redact(it) : it);
  process.stdout.write(`${printableJson(JSON.stringify(value, redacted, indent))}\n`);
}

/**
 * Prints an error as one line.
 * @param {string} message
 */
function printError(message) {
  console.error(printable(redact(message)));
}

module.exports = { addSecret, addSecretsOf, print, printError, printJson, redact };
