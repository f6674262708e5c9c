'use strict';

// The servers that may be given work: online, ready, and matching a condition. Kept until a list changes, because this is asked
// for each request.

const { isReady } = require('./packed-lists.js');
const { details, serverAt, suspects } = require('./server-lists.js');
const { matcher } = require('./where.js');

/** @typedef {import('../index.js').Where} Where */
/** @typedef {import('./server-lists.js').Details} Details */
/** Places of servers in the lists, and their hashes. @typedef {{ places: number[], hashes: BigUint64Array }} Servers */
/** `online`: all that match, those that are not ready too. @typedef {Servers & { lists: Details, online: number[] }} Offered */

/** Conditions whose servers are kept. A program has a few; one that invents them for each request must not fill the memory. */
const MAX_KEPT = 100;

/** @type {WeakMap<Details, Map<string, Offered>>} */
const kept = new WeakMap();

/**
 * @param {readonly (Where | undefined)[]} conditions all of them must match. They must have been checked: in the key of the cache a
 *   malformed one may look like another one
 * @returns {Offered}
 */
function offered(conditions) {
  const lists = details();
  // What a function returns may depend on anything.
  if (conditions.some((where) => typeof where === 'function')) return select(lists, conditions);
  /** @type {Map<string, Offered>} */
  const ofLists = kept.get(lists) ?? new Map();
  // Copies, without a method toJSON of their class.
  const key = JSON.stringify(conditions.map((where) => ({ ...where })));
  const known = ofLists.get(key);
  if (known) return known;
  const found = select(lists, conditions);
  if (ofLists.size >= MAX_KEPT) ofLists.clear();
  ofLists.set(key, found);
  kept.set(lists, ofLists);
  return found;
}

/**
 * @param {Details} lists
 * @param {readonly (Where | undefined)[]} conditions
 * @returns {Offered}
 */
function select(lists, conditions) {
  const matchers = conditions.map((where) => matcher(where));
  const suspected = suspects();
  const all = lists.online.urls.map((_, i) => i);
  const online = all.filter((i) => matchers.every((matches) => matches(serverAt(lists, i, suspected))));
  const places = online.filter((i) => isReady(lists.online, i));
  return { lists, online, ...withHashes(lists, places) };
}

/**
 * @param {Details} lists
 * @param {number[]} places
 * @returns {Servers}
 */
function withHashes({ hashes }, places) {
  return { places, hashes: BigUint64Array.from(places, (i) => /** @type {bigint} */ (hashes[i])) };
}

module.exports = { offered, withHashes };
