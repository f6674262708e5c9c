'use strict';

// Returns the lists of servers, and fetches from the engine only what has changed since the last call.

const { engine } = require('./engine.js');
const { unwrap } = require('./errors.js');
const { toObjects, unpack } = require('./packed-lists.js');

/** @typedef {import('./packed-lists.js').UnpackedServers} UnpackedServers */

/** What the engine returned last. @type {{ version: number, digest: number, online: UnpackedServers, offline: UnpackedServers } | undefined} */
let latest;

/**
 * The lists as new objects, which the caller may keep and change.
 * @param {boolean} includeOffline
 * @returns {import('../index.js').ServerList}
 */
function serverList(includeOffline) {
  const { online, offline } = update();
  return includeOffline ? { online: toObjects(online), offline: toObjects(offline) } : { online: toObjects(online) };
}

function update() {
  const version = unwrap(engine.listVersion());
  if (latest?.version === version) return latest;
  // `lastUpdate` changes all the time, anything else seldom.
  if (
    latest &&
    unwrap(engine.refreshLastUpdates(latest.digest, latest.online.lastUpdates, latest.offline.lastUpdates))
  ) {
    latest.version = version;
    return latest;
  }
  const { digest, online, offline } = unwrap(engine.list());
  latest = { version, digest, online: unpack(online), offline: unpack(offline) };
  return latest;
}

/** Must be called when the engine ends: after the next start its versions begin again. */
function forgetLists() {
  latest = undefined;
}

module.exports = { forgetLists, serverList };
