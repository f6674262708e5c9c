'use strict';

// Checks the shape of the bodies of gossip and control requests; the engine checks the servers that they list.

const { shazbotError } = require('./errors.js');

/** The engine has the same limit. */
const MAX_ENTRIES = 50_000;

/** A list that may be anything that `Array.isArray` accepts. @typedef {{ items: readonly unknown[], length: number }} List */
/** @typedef {{ online: List, offline: List, shazbot?: string | undefined, problem?: string | undefined }} Gossip */

/** @type {List} */
const NO_LIST = { items: [], length: 0 };

/**
 * Reads each property of a body once, since a getter or a proxy may return something else the next time.
 * @param {unknown} body
 * @returns {Gossip} `problem`: what is wrong with it
 */
function readGossip(body) {
  const failure = (/** @type {string} */ problem) => ({ online: NO_LIST, offline: NO_LIST, problem });
  try {
    if (!isObject(body)) return failure(notAnObject(body));
    const { message, online, offline, shazbot } = body;
    if (message !== 'gossip') return failure('its message is not "gossip"');
    if (!Array.isArray(online)) return failure('its online is not an array');
    if (!Array.isArray(offline ?? [])) return failure('its offline is not an array');
    return {
      online: list(online),
      offline: offline ? list(/** @type {unknown[]} */ (offline)) : NO_LIST,
      shazbot: typeof shazbot === 'string' ? shazbot : undefined,
    };
  } catch {
    return failure('its properties cannot be read');
  }
}

/**
 * @param {unknown[]} items
 * @returns {List}
 */
function list(items) {
  const { length } = items;
  // A proxy may claim any length.
  return { items, length: Number.isSafeInteger(length) && length >= 0 ? length : Number.POSITIVE_INFINITY };
}

/**
 * Whether only the body can prove that its sender has the secret.
 * @param {string} authorization
 */
const isSigned = (authorization) => authorization.startsWith('Shazbot ');

function tooManyEntries() {
  const message = `A message holds at most ${MAX_ENTRIES} servers`;
  return shazbotError({ code: 'SHAZBOT_TOO_LARGE', status: 413, message });
}

/**
 * @param {unknown} body
 * @returns {import('../index.js').ControlMessage}
 */
function parseControl(body) {
  if (!isObject(body)) throw invalidMessage('control', notAnObject(body));
  const { message, online } = body;
  if (message !== 'control') throw invalidMessage('control', 'its message is not "control"');
  if (typeof online !== 'boolean') throw invalidMessage('control', 'its online is not a boolean');
  return { message, online };
}

/**
 * @param {unknown} body
 * @returns {body is Record<string, unknown>}
 */
function isObject(body) {
  return typeof body === 'object' && body !== null && !Array.isArray(body);
}

/** @param {unknown} body */
function notAnObject(body) {
  if (body === undefined) return 'there is no body. A route of your own needs a JSON body parser in front of it';
  return `the body is ${body === null ? 'null' : Array.isArray(body) ? 'an array' : `a ${typeof body}`}, not an object`;
}

/**
 * @param {'gossip' | 'control'} kind
 * @param {string} problem
 */
function invalidMessage(kind, problem) {
  const message = `Invalid ${kind} message: ${problem}`;
  return shazbotError({ code: 'SHAZBOT_INVALID_MESSAGE', status: 400, message });
}

module.exports = { MAX_ENTRIES, invalidMessage, isSigned, parseControl, readGossip, tooManyEntries };
