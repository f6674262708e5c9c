'use strict';

// Emits what the engine learns about servers: `shazbotEvents`, and the same on diagnostics channels.

const { channel } = require('node:diagnostics_channel');
const { EventEmitter } = require('node:events');
const { nextTick } = require('node:process');
const { engine } = require('./engine.js');
const { unwrap } = require('./errors.js');
const { serverList } = require('./server-lists.js');

/** How many of the last events `shazbotStatus()` has. */
const MAX_RECENT = 200;

/** @typedef {import('../index.js').MemberEvent} MemberEvent */

const channels = {
  online: channel('clustershazbot:member:online'),
  offline: channel('clustershazbot:member:offline'),
  suspect: channel('clustershazbot:member:suspect'),
  tags: channel('clustershazbot:member:tags'),
};

const emitter = new EventEmitter();
/** @type {MemberEvent[]} */
const recent = [];
let isEmitting = false;

/**
 * Emits the events that the engine has queued. Does nothing if called by a listener: the other listeners must get the
 * current event first.
 */
function emitPending() {
  if (isEmitting) return;
  isEmitting = true;
  try {
    for (let json = engine.takeEvents(); json; json = engine.takeEvents()) {
      for (const row of JSON.parse(json)) emit(decodeEvent(row));
    }
  } finally {
    isEmitting = false;
  }
}

/** @param {MemberEvent} event */
function emit(event) {
  recent.push(event);
  if (recent.length > MAX_RECENT) recent.shift();
  if (channels[event.type].hasSubscribers) channels[event.type].publish(event);
  callListeners(event.type, event);
  if (event.type === 'online' || event.type === 'offline') callListeners('change', event);
}

/**
 * @param {string} name
 * @param {MemberEvent} event
 */
function callListeners(name, event) {
  try {
    emitter.emit(name, event);
  } catch (error) {
    // An uncaught exception, but thrown later: the events that follow must still be emitted, and `snapshot()` must return.
    nextTick(() => {
      throw error;
    });
  }
}

/** The lists, after all events that led to them were emitted. */
function snapshot() {
  for (;;) {
    const version = unwrap(engine.listVersion());
    emitPending();
    const lists = serverList(true);
    if (unwrap(engine.listVersion()) === version) return /** @type {Required<typeof lists>} */ (lists);
  }
}

function recentEvents() {
  emitPending();
  return recent.slice();
}

/**
 * @param {any[]} row
 * @returns {Readonly<MemberEvent>}
 */
function decodeEvent([type, baseUrl, monitor, lastUpdate, reason, author, at, knownAfter, tags, code, message]) {
  // A server that left or was drained is its own author.
  const offline = { ...(reason && { reason }), ...(author && author !== baseUrl && { by: author }) };
  const told = tags && (type === 'tags' || Object.keys(tags).length > 0) && { tags: Object.freeze(tags) };
  const error = code && { error: Object.freeze({ code, message }) };
  return Object.freeze({
    type,
    baseUrl,
    monitor: monitor === 1,
    lastUpdate,
    ...offline,
    ...error,
    ...told,
    at,
    knownAfter,
  });
}

module.exports = { emitPending, recentEvents, shazbotEvents: Object.assign(emitter, { snapshot }) };
