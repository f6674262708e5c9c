'use strict';

// Which server owns a key, by rendezvous hashing over those that are online and ready (docs/ownership.md).

const { Engine } = require('./binary.js');
const { isDisabled } = require('./disabled.js');
const { engine } = require('./engine.js');
const { afterEvents, emitPending, unchangedFor } = require('./events.js');
const { reportHandler } = require('./logging.js');
const { offered } = require('./offered.js');
const { checkArgument, checkOptions, kinds } = require('./options.js');
const { local, suspects } = require('./server-lists.js');
const { wasStarted } = require('./status.js');
const { condition } = require('./where.js');

/** @typedef {import('../index.js').OwnerOptions} OwnerOptions */
/** @typedef {import('../index.js').ShazbotOwner} ShazbotOwner */

const OWNER_OPTIONS = { where: condition, minOnline: kinds.count };

/** For how many gossip intervals after a change others may still have another list. */
const SETTLING_INTERVALS = 2;

/** The lists of which all events were emitted. @type {object | undefined} */
let seen;
let hasWarned = false;

/**
 * @param {string} key
 * @param {OwnerOptions} [options]
 * @returns {ShazbotOwner | undefined}
 */
function owner(key, options) {
  const { urls, lists } = find('shazbotOwner', key, 1, options);
  const [baseUrl] = urls;
  if (baseUrl === undefined) return undefined;
  // The lists may be newer than the last event.
  if (lists !== seen) emitPending();
  seen = lists;
  const { baseUrl: own, intervalMs } = local();
  const settled = unchangedFor() > SETTLING_INTERVALS * intervalMs && suspects().size === 0;
  return { baseUrl, self: baseUrl === own, settled };
}

/**
 * @param {string} key
 * @param {number} count
 * @param {OwnerOptions} [options]
 * @returns {string[]}
 */
function owners(key, count, options) {
  checkArgument('shazbotOwners', 'count', count, kinds.count);
  return find('shazbotOwners', key, count, options).urls;
}

/**
 * @param {string} caller
 * @param {string} key
 * @param {number} count
 * @param {OwnerOptions} [options]
 */
function find(caller, key, count, options = {}) {
  checkArgument(caller, 'key', key, kinds.text);
  checkOptions(caller, options, OWNER_OPTIONS);
  if (!isJoined(key)) return { urls: [], lists: undefined };
  const { where, minOnline = 0 } = options;
  const { lists, online, places, hashes } = offered([where]);
  const found = online.length < minOnline ? [] : Engine.owners(key, hashes, count);
  return { lists, urls: found.map((i) => String(lists.online.urls[Number(places[i])])) };
}

/**
 * Whether this server has looked for the others. Until then it knows only itself, and would own every key.
 * @param {string} key
 */
function isJoined(key) {
  const health = engine.health();
  if (health === 'not started' && !wasStarted() && !isDisabled()) warnOnce(key);
  return health !== 'not started' && health !== 'starting';
}

/**
 * Not after a shutdown: a job may be due while the program ends.
 * @param {string} key
 */
function warnOnce(key) {
  if (hasWarned) return;
  hasWarned = true;
  const text =
    `this server owns no key, and the job ${JSON.stringify(key)} was skipped if it is one: shazbotStart was not called yet, or was ` +
    'rejected. Call it when the program starts; in Nest, import ShazbotModule.forRoot() into the application that listens, and ask for ' +
    'no owner before onApplicationBootstrap. In tests use createFakeCluster of clustershazbot/testing';
  reportHandler(() => {})('SHAZBOT_JOB_SKIPPED', text, true);
}

/**
 * @param {string} key
 * @param {(owner: ShazbotOwner | undefined) => void} listener
 * @param {OwnerOptions} [options]
 * @returns {() => void}
 */
function watch(key, listener, options) {
  const caller = 'shazbotOwner.watch';
  checkArgument(caller, 'key', key, kinds.text);
  checkArgument(caller, 'listener', listener, kinds.callback);
  checkOptions(caller, options, OWNER_OPTIONS);
  /** Null: the listener was not called yet. @type {string | null | undefined} */
  let known = null;
  const look = () => {
    const now = engine.isWorking() ? owner(key, options) : undefined;
    if (now?.baseUrl === known) return;
    known = now?.baseUrl;
    listener(now);
  };
  return afterEvents(look);
}

module.exports = { OWNER_OPTIONS, owner, owners, watch };
