'use strict';

// Answers the requests of other servers and operators: gossip, control and list. A message so large that it would block the
// event loop is parsed and merged on another thread.

const { Buffer } = require('node:buffer');
const { engine } = require('./engine.js');
const { unwrap } = require('./errors.js');
const { countBytes, countRequest, measureTime } = require('./inbound-counters.js');
const { forgetListResponses } = require('./list-response.js');
const { MAX_ENTRIES, invalidMessage, isSigned, parseControl, readGossip, tooManyEntries } = require('./messages.js');
const { pack, toJson, toObjects, unpack } = require('./packed-lists.js');
const { serverList } = require('./server-lists.js');

// What is answered at once: the messages of protocol 2 servers, and what takes the event loop 12 ms at most. Larger messages go to
// another thread. src/engine/inbound.rs has the same number of bytes.
const MAX_SYNC_BYTES = 96 << 10;
const MAX_SYNC_ENTRIES = 1_500;

/** How each response to a protocol 2 server begins. One to a version 1 server has at least this server in its lists. */
const PROTOCOL_2_RESPONSE = '{"message":"gossip","online":[],"offline":[],';

/** @typedef {import('../index.js').GossipMessage & { shazbot?: unknown }} GossipMessage */
/** @typedef {import('./messages.js').Gossip} Gossip */

/** The message that is on the other thread, and after which the next one goes there. @type {Promise<unknown>} */
let previous = Promise.resolve();

/**
 * Answers a message that a body parser of the program has parsed.
 * @param {unknown} header
 * @param {unknown} body
 * @param {string} [host] the `Host` header, here and below. Routes that are written by hand do not pass it
 * @returns {GossipMessage | Promise<GossipMessage>}
 */
function gossip(header, body, host) {
  return countRequest(() => answer(text(header), body, host));
}

/**
 * @param {string} authorization
 * @param {unknown} body
 * @param {string} [host]
 * @returns {GossipMessage | Promise<GossipMessage>}
 */
function answer(authorization, body, host) {
  const message = readGossip(body);
  const { online, offline, shazbot, problem } = message;
  const count = online.length + offline.length;
  const isLong = shazbot !== undefined && shazbot.length > MAX_SYNC_BYTES;
  if (!problem && shazbot !== undefined && !isLong) {
    const field = unwrap(engine.exchange(authorization, shazbot, host));
    if (field !== null) {
      countBytes(shazbot.length, field.length);
      // A server of protocol 2 reads that field only.
      return { message: 'gossip', online: [], offline: [], shazbot: field };
    }
  }
  // Before the problem is reported: only a caller with the secret may learn of it. A signature is checked with the message.
  if (!isLong || !isSigned(authorization)) unwrap(engine.authorizeGossip(authorization));
  if (problem) throw invalidMessage('gossip', problem);
  if (count > MAX_ENTRIES) throw tooManyEntries();
  if (isLong || count > MAX_SYNC_ENTRIES) return answerLong(authorization, message, host);
  const { online: up, offline: down } = unwrap(engine.gossip(packed(message), host));
  return { message: 'gossip', online: toObjects(unpack(up)), offline: toObjects(unpack(down)) };
}

/** @param {Gossip} message */
function packed({ online, offline }) {
  try {
    return pack(online, offline);
  } catch {
    throw unreadable();
  }
}

/**
 * @param {string} authorization
 * @param {Gossip} message
 * @param {string} [host]
 * @returns {Promise<GossipMessage>}
 */
async function answerLong(authorization, message, host) {
  const json = await toJson(message).catch(() => {
    throw unreadable();
  });
  return JSON.parse(await answerOnThread(authorization, Buffer.from(json), host));
}

/** A getter or a proxy has thrown. */
const unreadable = () => invalidMessage('gossip', 'its entries cannot be read');

/**
 * Answers the bytes of a message with the body of the response.
 * @param {string} authorization
 * @param {import('./body.js').Body} body
 * @param {string} [host]
 * @returns {string | Promise<string>}
 */
function answerBody(authorization, { bytes, free }, host) {
  if (bytes.length > MAX_SYNC_BYTES) return countRequest(() => answerOnThread(authorization, bytes, host, free));
  try {
    return countRequest(() => {
      const response = unwrap(engine.answer(authorization, bytes, host));
      count(bytes.length, response);
      return response;
    });
  } finally {
    free();
  }
}

/**
 * @param {string} authorization
 * @param {Uint8Array} bytes
 * @param {string} [host]
 * @param {() => void} [free] called as soon as the bytes are not needed any more
 * @returns {Promise<string>}
 */
function answerOnThread(authorization, bytes, host, free) {
  // One at a time: together they would take as much memory as all of them need, and the threads that the program needs.
  const answering = previous.then(async () => {
    const { length } = bytes;
    const promise = measureTime(() => engine.answerOnThread(authorization, bytes, host));
    free?.();
    const response = unwrap(await promise);
    count(length, response);
    return response;
  });
  previous = answering.catch(() => {});
  return answering;
}

/**
 * @param {number} received
 * @param {string} response
 */
function count(received, response) {
  if (response.startsWith(PROTOCOL_2_RESPONSE)) countBytes(received, response.length);
}

/**
 * @param {unknown} header
 * @param {unknown} body
 */
function control(header, body) {
  unwrap(engine.authorizeControl(text(header)));
  unwrap(engine.control(parseControl(body).online));
  forgetListResponses();
}

/** @param {unknown} header */
function list(header) {
  return measureTime(() => serverList(unwrap(engine.authorizeList(text(header)))));
}

/** @param {unknown} header */
function text(header) {
  return typeof header === 'string' ? header : '';
}

module.exports = { answerBody, control, gossip, list };
