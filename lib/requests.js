'use strict';

// Answers the requests of other servers and operators: gossip, control and list.

const { engine } = require('./engine.js');
const { unwrap } = require('./errors.js');
const { countBytes, countRequest, measureTime } = require('./inbound-counters.js');
const { gossipProblem, invalidMessage, parseControl } = require('./messages.js');
const { pack, toObjects, unpack } = require('./packed-lists.js');
const { serverList } = require('./server-lists.js');

/** @typedef {import('../index.js').GossipMessage & { shazbot?: unknown }} GossipMessage */

/**
 * @param {unknown} header
 * @param {unknown} body
 */
function gossip(header, body) {
  return countRequest(() => answerGossip(text(header), body));
}

/**
 * @param {string} header
 * @param {unknown} body
 * @returns {GossipMessage}
 */
function answerGossip(header, body) {
  const problem = gossipProblem(body);
  const { online, offline, shazbot } = /** @type {GossipMessage} */ (Object(body));
  if (!problem && typeof shazbot === 'string') {
    const answer = unwrap(engine.exchange(header, shazbot));
    if (answer !== null) {
      countBytes(shazbot, answer);
      // A server of version 2 reads that field only.
      return /** @type {GossipMessage} */ ({ message: 'gossip', online: [], offline: [], shazbot: answer });
    }
  }
  // Before the problem is reported: only a caller with the secret may learn of it.
  unwrap(engine.authorizeGossip(header));
  if (problem) throw invalidMessage('gossip', problem);
  const answer = unwrap(engine.gossip(pack(online, offline ?? [])));
  return { message: 'gossip', online: toObjects(unpack(answer.online)), offline: toObjects(unpack(answer.offline)) };
}

/**
 * @param {unknown} header
 * @param {unknown} body
 */
function control(header, body) {
  unwrap(engine.authorizeControl(text(header)));
  unwrap(engine.control(parseControl(body).online));
}

/** @param {unknown} header */
function list(header) {
  return measureTime(() => serverList(unwrap(engine.authorizeList(text(header)))));
}

/** @param {unknown} header */
function text(header) {
  return typeof header === 'string' ? header : '';
}

module.exports = { control, gossip, list };
