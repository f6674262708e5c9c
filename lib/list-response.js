'use strict';

// Builds the response to a list request at most once in a while, since anybody may ask for it, as often as they like.

const { performance } = require('node:perf_hooks');
const { engine } = require('./engine.js');
const { unwrap } = require('./errors.js');
const { measureTime } = require('./inbound-counters.js');

/**
 * How fast lists are built, in bytes per millisecond: so a list of 100 servers is at most 0.04 s old, one of 10 000 at most 3.5 s.
 * This also bounds the memory of clients that read slowly, each of which may hold a list that was built at another time.
 */
const BYTES_PER_MS = 256;

/** @typedef {{ body: Buffer, etag: string, version: number, expiresAt: number }} Built */

/** Without and with the offline servers. @type {Map<boolean, Built>} */
const cache = new Map();
/** The versions begin again when the engine starts again. */
let prefix = '';

/**
 * @param {string} authorization
 * @returns {{ body: Buffer, etag: string }}
 */
function listResponse(authorization) {
  return measureTime(() => {
    const includesOffline = unwrap(engine.authorizeList(authorization));
    const version = unwrap(engine.listVersion());
    const cached = cache.get(includesOffline);
    const now = performance.now();
    if (cached && (cached.version === version || now < cached.expiresAt)) return cached;
    const body = unwrap(engine.listJson(includesOffline));
    // Loaded with the first request: node:crypto takes longer to load than most of this package.
    prefix ||= require('node:crypto').randomBytes(9).toString('base64url');
    const etag = `"${prefix}-${version}-${Number(includesOffline)}"`;
    const built = { body, etag, version, expiresAt: now + body.length / BYTES_PER_MS };
    cache.set(includesOffline, built);
    return built;
  });
}

/** Must be called when the engine ends, and when the program has changed the list: it expects to see that at once. */
function forgetListResponses() {
  cache.clear();
  prefix = '';
}

module.exports = { forgetListResponses, listResponse };
