'use strict';

/** @typedef {import('./native').Failure} Failure */

/**
 * An error of the caller's realm. Express and Nest answer with its `status`.
 * @param {{ code: string, status: number, message: string }} failure
 */
function shazbotError({ code, status, message }) {
  return Object.assign(new Error(message), { code, status, statusCode: status, expose: true });
}

/**
 * What the engine returned, unless that is a refusal.
 * @template T
 * @param {T | Failure} result
 * @returns {T}
 */
function settled(result) {
  if (typeof result === 'object' && result !== null && 'code' in result) throw shazbotError(result);
  return /** @type {T} */ (result);
}

module.exports = { settled, shazbotError };
