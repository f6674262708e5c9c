'use strict';

// Turns failures of the engine into the errors that callers get.

/** @typedef {import('./native').Failure} Failure */

/**
 * Creates an error in the realm of the caller, which under Jest is not the one that loaded the addon.
 * @param {{ code: string, status: number, message: string }} failure
 */
function shazbotError({ code, status, message }) {
  return Object.assign(new Error(message), { code, status, statusCode: status, expose: true });
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
