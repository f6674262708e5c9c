'use strict';

const { objects, pack, unpack } = require('./packed.js');
const { settled, shazbotError } = require('./errors.js');
const { carried, counted, timed } = require('./meter.js');

/** @typedef {import('./native').Engine} Engine */
/** @typedef {import('../index.js').GossipServer} GossipServer */

/**
 * Answers a gossip message.
 * @param {Engine} engine
 * @param {unknown} header
 * @param {unknown} body
 * @returns {import('../index.js').GossipMessage}
 */
function gossip(engine, header, body) {
  return counted(() => answerGossip(engine, header, body));
}

/**
 * @param {Engine} engine
 * @param {unknown} header
 * @param {unknown} body
 */
function answerGossip(engine, header, body) {
  const wrong = wrongWithGossip(body);
  const { online, offline, shazbot } = /** @type {Parts} */ (Object(body));
  if (!wrong && typeof shazbot === 'string') {
    const answer = settled(engine.exchange(text(header), shazbot));
    // Whoever sent that field reads it alone.
    if (answer !== null) {
      carried(shazbot, answer);
      return answerOfOurs(answer);
    }
  }
  settled(engine.authorizeGossip(text(header)));
  // Whoever has not the secret is not told.
  if (wrong) throw invalid('gossip', wrong);
  const answer = settled(engine.gossip(pack(online, offline ?? [])));
  return /** @type {import('../index.js').GossipMessage} */ ({
    message: 'gossip',
    online: objects(unpack(answer.online)),
    offline: objects(unpack(answer.offline)),
  });
}

/** @typedef {{ online: unknown[], offline?: unknown[] | null, shazbot?: unknown }} Parts of what is a gossip message */

/** @param {unknown} body */
function wrongWithGossip(body) {
  if (!isObject(body)) return wrongWithBody(body);
  if (body.message !== 'gossip') return 'its message is not "gossip"';
  if (!Array.isArray(body.online)) return 'its online is not an array';
  return Array.isArray(body.offline ?? []) ? undefined : 'its offline is not an array';
}

/** @param {string} shazbot */
function answerOfOurs(shazbot) {
  return /** @type {import('../index.js').GossipMessage} */ ({ message: 'gossip', online: [], offline: [], shazbot });
}

/**
 * Carries out a control message.
 * @param {Engine} engine
 * @param {unknown} header
 * @param {unknown} body
 */
function control(engine, header, body) {
  settled(engine.authorizeControl(text(header)));
  if (!isObject(body)) throw invalid('control', wrongWithBody(body));
  const { message, online } = body;
  if (message !== 'control') throw invalid('control', 'its message is not "control"');
  if (typeof online !== 'boolean') throw invalid('control', 'its online is not a boolean');
  settled(engine.control(online));
}

/**
 * Answers a request for the list.
 * @param {Engine} engine
 * @param {unknown} header
 */
function list(engine, header) {
  return timed(() => serverList(engine, settled(engine.authorizeList(text(header)))));
}

/** @typedef {import('./packed.js').Servers} Servers */
/** @typedef {{ version: number, digest: number, online: Servers, offline: Servers }} Lists */

/** @type {WeakMap<Engine, Lists>} What was last heard of each engine. */
const lastLists = new WeakMap();

/**
 * The lists, for the caller to keep and to change.
 * @param {Engine} engine
 * @param {boolean} withOffline
 * @returns {import('../index.js').ServerList}
 */
function serverList(engine, withOffline) {
  const { online, offline } = latest(engine);
  return withOffline ? { online: objects(online), offline: objects(offline) } : { online: objects(online) };
}

/**
 * @param {Engine} engine
 * @returns {Lists}
 */
function latest(engine) {
  const version = settled(engine.version());
  const last = lastLists.get(engine);
  if (last?.version === version) return last;
  // Stamps become newer all the time, and seldom does anything else change.
  if (last && settled(engine.refresh(last.digest, last.online.stamps, last.offline.stamps))) {
    last.version = version;
    return last;
  }
  const { digest, online, offline } = settled(engine.list());
  const lists = { version, digest, online: unpack(online), offline: unpack(offline) };
  lastLists.set(engine, lists);
  return lists;
}

/**
 * Forgets what was kept of an engine that has ended: the next one counts its versions anew.
 * @param {Engine} engine
 */
function forgetLists(engine) {
  lastLists.delete(engine);
}

/** @param {unknown} header */
function text(header) {
  return typeof header === 'string' ? header : '';
}

/**
 * @param {unknown} body
 * @returns {body is Record<string, unknown>}
 */
function isObject(body) {
  return typeof body === 'object' && body !== null && !Array.isArray(body);
}

/** @param {unknown} body that is no object */
function wrongWithBody(body) {
  if (body === undefined) return 'there is no body. A route of your own needs a JSON body parser in front of it';
  return `the body is ${body === null ? 'null' : Array.isArray(body) ? 'an array' : `a ${typeof body}`}, not an object`;
}

/**
 * @param {string} kind
 * @param {string} why
 */
function invalid(kind, why) {
  return shazbotError({ code: 'SHAZBOT_INVALID_MESSAGE', status: 400, message: `Invalid ${kind} message: ${why}` });
}

module.exports = { control, forgetLists, gossip, list, serverList };
