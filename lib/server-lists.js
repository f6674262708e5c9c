'use strict';

// Returns the lists of servers, and fetches from the engine only what has changed since the last call.

const { performance } = require('node:perf_hooks');
const { isDisabled } = require('./disabled.js');
const { engine } = require('./engine.js');
const { unwrap } = require('./errors.js');
const { checkArgument } = require('./options.js');
const { isMonitor, isReady, toObjects, unpack } = require('./packed-lists.js');
const { condition, matcher } = require('./where.js');

/** @typedef {import('./packed-lists.js').UnpackedServers} UnpackedServers */
/** @typedef {import('../index.js').Tags} Tags */
/** @typedef {{ version: number, digest: number, online: UnpackedServers, offline: UnpackedServers, tags?: Tags[] | undefined, hashes?: BigUint64Array | undefined }} Lists */
/** With what is fetched only for programs that ask for tags. @typedef {Lists & { tags: Tags[], hashes: BigUint64Array }} Details */

/** Shared by all servers without tags. @type {Tags} */
const NO_TAGS = Object.freeze({});

/** For how long the `lastUpdate` of a server that is picked may be out of date. */
const REFRESH_MS = 1_000;

/** @type {UnpackedServers} */
const NOBODY = { urls: [], flags: new Uint8Array(), lastUpdates: new Float64Array() };
/** What a program that stays out of the cluster gets. @type {Details} */
const EMPTY = { version: 0, digest: 0, online: NOBODY, offline: NOBODY, tags: [], hashes: new BigUint64Array() };

/** What the engine returned last. @type {Lists | undefined} */
let latest;
/** Whether the program has asked for tags: then the lists are fetched with them, which takes longer. */
let isWithDetails = false;
/** When the last of them were fetched, in ms of the performance clock. */
let refreshedAt = 0;
/** Base URL and interval of this server. @type {{ baseUrl: string, intervalMs: number } | undefined} */
let own;

/**
 * The lists as new objects, which the caller may keep and change.
 * @param {boolean} includeOffline
 * @returns {import('../index.js').ServerList}
 */
function serverList(includeOffline) {
  if (isDisabled()) return { online: [], ...(includeOffline && { offline: [] }) };
  const { online, offline } = update();
  return includeOffline ? { online: toObjects(online), offline: toObjects(offline) } : { online: toObjects(online) };
}

/** @type {typeof import('../index.js').shazbotServers} */
function servers(where) {
  if (where !== undefined) checkArgument('shazbotServers', 'where', where, condition);
  const matches = matcher(where);
  if (isDisabled()) return [];
  isWithDetails = true;
  const lists = /** @type {Details} */ (update());
  const suspected = suspects();
  return lists.online.urls.map((_, i) => serverAt(lists, i, suspected)).filter(matches);
}

/**
 * @param {Details} lists
 * @param {number} i
 * @param {ReadonlySet<string>} suspected
 * @returns {import('../index.js').ShazbotServer}
 */
function serverAt({ online, tags }, i, suspected) {
  const baseUrl = /** @type {string} */ (online.urls[i]);
  return {
    baseUrl,
    monitor: isMonitor(online, i),
    lastUpdate: Number(online.lastUpdates[i]),
    tags: tags[i] ?? NO_TAGS,
    self: baseUrl === local().baseUrl,
    suspect: suspected.has(baseUrl),
    ready: isReady(online, i),
  };
}

/** The base URLs of those online that do not answer this server. @returns {ReadonlySet<string>} */
const suspects = () => new Set(isDisabled() ? [] : unwrap(engine.suspects()));

/** Base URL and gossip interval of this server. */
function local() {
  if (!own) {
    const [, intervalMs, baseUrl] = JSON.parse(unwrap(engine.status()).own);
    own = { baseUrl, intervalMs };
  }
  return own;
}

/**
 * The lists with tags and hashes. The same object as long as nothing but `lastUpdate` has changed.
 * @returns {Details}
 */
function details() {
  if (isDisabled()) return EMPTY;
  const digest = unwrap(engine.listDigest());
  const now = performance.now();
  if (latest?.hashes && latest.digest === digest && now < refreshedAt + REFRESH_MS) {
    return /** @type {Details} */ (latest);
  }
  isWithDetails = true;
  refreshedAt = now;
  return /** @type {Details} */ (update());
}

/** @returns {Lists} */
function update() {
  const version = unwrap(engine.listVersion());
  const isComplete = !isWithDetails || latest?.tags;
  if (latest?.version === version && isComplete) return latest;
  // `lastUpdate` changes all the time, anything else seldom.
  if (
    latest &&
    isComplete &&
    unwrap(engine.refreshLastUpdates(latest.digest, latest.online.lastUpdates, latest.offline.lastUpdates))
  ) {
    latest.version = version;
    return latest;
  }
  const { digest, online, offline, tags, hashes } = unwrap(engine.list(isWithDetails));
  const frozen = tags && JSON.parse(tags).map((/** @type {Tags | null} */ it) => Object.freeze(it ?? NO_TAGS));
  latest = { version, digest, online: unpack(online), offline: unpack(offline), tags: frozen, hashes };
  return latest;
}

/** Must be called when the engine ends: after the next start its versions begin again. */
function forgetLists() {
  latest = undefined;
  own = undefined;
}

module.exports = { details, forgetLists, local, serverAt, serverList, servers, suspects };
