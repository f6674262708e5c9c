'use strict';

// Returns the lists of servers, and fetches from the engine only what has changed since the last call.

const { engine } = require('./engine.js');
const { unwrap } = require('./errors.js');
const { isMonitor, toObjects, unpack } = require('./packed-lists.js');
const { matcher } = require('./where.js');

/** @typedef {import('./packed-lists.js').UnpackedServers} UnpackedServers */
/** @typedef {import('../index.js').Tags} Tags */
/** @typedef {{ version: number, digest: number, online: UnpackedServers, offline: UnpackedServers, tags?: Tags[] | undefined }} Lists */

/** Shared by all servers without tags. @type {Tags} */
const NO_TAGS = Object.freeze({});

/** What the engine returned last. @type {Lists | undefined} */
let latest;
/** Whether the program has asked for tags: then the lists are fetched with them, which takes longer. */
let isWithTags = false;
/** The base URL of this server. */
let own = '';

/**
 * The lists as new objects, which the caller may keep and change.
 * @param {boolean} includeOffline
 * @returns {import('../index.js').ServerList}
 */
function serverList(includeOffline) {
  const { online, offline } = update();
  return includeOffline ? { online: toObjects(online), offline: toObjects(offline) } : { online: toObjects(online) };
}

/** @type {typeof import('../index.js').shazbotServers} */
function servers(where) {
  const matches = matcher(where);
  isWithTags = true;
  const { online, tags = [] } = update();
  own ||= JSON.parse(unwrap(engine.status()).own)[2];
  const suspects = new Set(unwrap(engine.suspects()));
  const found = [];
  for (const [i, baseUrl] of online.urls.entries()) {
    const server = {
      baseUrl,
      monitor: isMonitor(online, i),
      lastUpdate: Number(online.lastUpdates[i]),
      tags: tags[i] ?? NO_TAGS,
      self: baseUrl === own,
      suspect: suspects.has(baseUrl),
    };
    if (matches(server)) found.push(server);
  }
  return found;
}

/** @returns {Lists} */
function update() {
  const version = unwrap(engine.listVersion());
  const hasTags = !isWithTags || latest?.tags;
  if (latest?.version === version && hasTags) return latest;
  // `lastUpdate` changes all the time, anything else seldom.
  if (
    latest &&
    hasTags &&
    unwrap(engine.refreshLastUpdates(latest.digest, latest.online.lastUpdates, latest.offline.lastUpdates))
  ) {
    latest.version = version;
    return latest;
  }
  const { digest, online, offline, tags } = unwrap(engine.list(isWithTags));
  const frozen = tags && JSON.parse(tags).map((/** @type {Tags | null} */ it) => Object.freeze(it ?? NO_TAGS));
  latest = { version, digest, online: unpack(online), offline: unpack(offline), tags: frozen };
  return latest;
}

/** Must be called when the engine ends: after the next start its versions begin again. */
function forgetLists() {
  latest = undefined;
  own = '';
}

module.exports = { forgetLists, serverList, servers };
