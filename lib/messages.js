'use strict';

// Checks the shape of the bodies of gossip and control requests; the engine checks the servers that they list.

const { shazbotError } = require('./errors.js');

/**
 * @param {unknown} body
 * @returns {string | undefined} what is wrong with a gossip message
 */
function gossipProblem(body) {
  if (!isObject(body)) return notAnObject(body);
  if (body.message !== 'gossip') return 'its message is not "gossip"';
  if (!Array.isArray(body.online)) return 'its online is not an array';
  return Array.isArray(body.offline ?? []) ? undefined : 'its offline is not an array';
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

module.exports = { gossipProblem, invalidMessage, parseControl };
