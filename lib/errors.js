'use strict';

// Turns failures of the engine into the errors that callers get.

const { getSystemErrorName } = require('node:util');

/** @typedef {import('./native').Failure} Failure */

/** The errors whose texts are those of version 1: programs and version 1 servers compare them. */
const VERSION_1 = ['SHAZBOT_NOT_STARTED', 'SHAZBOT_UNAUTHORIZED'];

/**
 * A message that ends with the place in the documentation that explains its code. The package has docs/errors.md.
 * @param {string} code
 * @param {string} message
 */
function withLink(code, message) {
  const see = `See clustershazbot/docs/errors.md#${code.toLowerCase()}`;
  if (message.endsWith(see)) return message;
  // Several problems stand one below the other.
  if (message.includes('\n')) return `${message}\n  ${see}`;
  return message.endsWith('?') ? `${message} ${see}` : `${message.replace(/\.$/, '')}. ${see}`;
}

/**
 * Creates an error in the realm of the caller, which under Jest is not the one that loaded the addon.
 * @param {{ code: string, status: number, message: string, cause?: string | Error, errno?: number }} failure
 */
function shazbotError({ code, status, message, cause, errno }) {
  const text = VERSION_1.includes(code) ? message : withLink(code, message);
  const error = cause ? new Error(text, { cause: causeOf(cause, errno) }) : new Error(text);
  return Object.assign(error, { code, status, statusCode: status, expose: true });
}

/**
 * The error of the operating system behind a failure, with the code that Node gives such errors.
 * @param {string | Error} message or the error itself
 * @param {number} [errno]
 */
function causeOf(message, errno) {
  if (typeof message !== 'string') return message;
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

module.exports = { shazbotError, unwrap, withLink };
