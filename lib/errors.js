'use strict';

// Turns failures of the engine into the errors that callers get.

const { getSystemErrorName } = require('node:util');

/** @typedef {import('./native').Failure} Failure */

/**
 * Creates an error in the realm of the caller, which under Jest is not the one that loaded the addon.
 * @param {{ code: string, status: number, message: string, cause?: string, errno?: number }} failure
 */
function shazbotError({ code, status, message, cause, errno }) {
  const error = cause ? new Error(message, { cause: causeOf(cause, errno) }) : new Error(message);
  return Object.assign(error, { code, status, statusCode: status, expose: true });
}

/**
 * The error of the operating system behind a failure, with the code that Node gives such errors.
 * @param {string} message
 * @param {number} [errno]
 */
function causeOf(message, errno) {
  const cause = new Error(message);
  // Windows numbers its errors differently from Node.
  if (errno === undefined || process.platform === 'win32') return cause;
  return Object.assign(cause, { errno: -errno, code: getSystemErrorName(-errno) });
}

/**
 * Returns the result of an engine function, or throws if it is a failure.
 * @template T
 * @param {T | Failure} result
 * @returns {T}
 */
function unwrap(result) {
  if (typeof result === 'object' && result !== null && 'code' in result) throw shazbotError(result);
  return /** @type {T} */ (result);
}

module.exports = { shazbotError, unwrap };
