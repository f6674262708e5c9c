'use strict';

// Emits what the engine learns about servers: `shazbotEvents`, and the same on diagnostics channels.

const { channel } = require('node:diagnostics_channel');
const { EventEmitter } = require('node:events');
const { performance } = require('node:perf_hooks');
const { nextTick } = require('node:process');
const { setImmediate } = require('node:timers');
const { isDisabled } = require('./disabled.js');
const { engine } = require('./engine.js');
const { unwrap } = require('./errors.js');
const { serverList } = require('./server-lists.js');
const { checkEventName } = require('./unknown-names.js');

/** How many of the last events `shazbotStatus()` has. */
const MAX_RECENT = 200;

/** @typedef {import('../index.js').MemberEvent} MemberEvent */

const channels = {
  online: channel('clustershazbot:member:online'),
  offline: channel('clustershazbot:member:offline'),
  suspect: channel('clustershazbot:member:suspect'),
  tags: channel('clustershazbot:member:tags'),
  ready: channel('clustershazbot:member:ready'),
};

const EVENTS = [...Object.keys(channels), 'change'];
/** Events for which Node itself and libraries add listeners to any emitter. */
const NODE_EVENTS = ['error', 'close', 'end', 'newListener', 'removeListener'];

const emitter = new EventEmitter();
/** @type {MemberEvent[]} */
const recent = [];
let isEmitting = false;
/** Whether {@link emitSoon} has more events to emit. */
let isScheduled = false;
/** Called after each event: apart from the emitter, whose listeners the program may remove. @type {Set<(event?: MemberEvent) => void>} */
const observers = new Set();
/** When a server last came or went, or changed what it offers, in ms of the performance clock. */
let changedAt = 0;

for (const method of /** @type {const} */ (['on', 'once', 'addListener', 'prependListener', 'prependOnceListener'])) {
  // A listener for a misspelt event would never be called.
  emitter[method] = function (name, listener) {
    checkEventName('shazbotEvents', name, EVENTS, NODE_EVENTS);
    return EventEmitter.prototype[method].call(this, name, listener);
  };
}

/**
 * Emits all events that the engine has queued. Does nothing if called by a listener: the other listeners must get the
 * current event first.
 */
function emitPending() {
  while (emitBatch());
}

/**
 * Emits a few hundred events, and the others in later turns of the event loop: one message of a peer can cause thousands,
 * and the program's listeners must not block the event loop with all of them.
 */
function emitSoon() {
  if (isScheduled) return;
  isScheduled = emitBatch();
  if (isScheduled) {
    setImmediate(() => {
      isScheduled = false;
      emitSoon();
    });
  }
}

/** Returns whether there may be more. */
function emitBatch() {
  if (isEmitting) return false;
  isEmitting = true;
  try {
    const json = engine.takeEvents();
    if (!json) return false;
    for (const row of JSON.parse(json)) emit(decodeEvent(row));
    return true;
  } finally {
    isEmitting = false;
  }
}

/** @param {MemberEvent} event */
function emit(event) {
  recent.push(event);
  if (recent.length > MAX_RECENT) recent.shift();
  if (channels[event.type].hasSubscribers) channels[event.type].publish(event);
  if (event.type !== 'suspect') changedAt = performance.now();
  for (const observe of observers) observe(event);
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

/** Must be called when the engine starts and when it ends. */
function announceEngine() {
  changedAt = performance.now();
  for (const observe of observers) observe();
}

/**
 * Calls a function soon, and again after events: once for all that come together, because a start in a large cluster brings
 * thousands. Not within an event: the others that the engine has queued must be emitted first.
 * @param {() => void} look
 * @returns {() => void} ends it; the function is not called after that
 */
function afterEvents(look) {
  let isDue = false;
  const observe = () => {
    if (isDue) return;
    isDue = true;
    nextTick(() => {
      isDue = false;
      if (observers.has(observe)) look();
    });
  };
  observers.add(observe);
  observe();
  return () => void observers.delete(observe);
}

/** Milliseconds since the last change that was emitted. */
const unchangedFor = () => performance.now() - changedAt;

/** The lists, after all events that led to them were emitted. */
function snapshot() {
  if (isDisabled()) return { online: [], offline: [] };
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

/** For a fake cluster, which must not show the events of another one. */
function forgetEvents() {
  recent.length = 0;
}

/**
 * @param {any[]} row
 * @returns {Readonly<MemberEvent>}
 */
function decodeEvent([type, baseUrl, monitor, lastUpdate, reason, author, at, knownAfter, tags, code, message, ready]) {
  // A server that left or was drained is its own author.
  const offline = { ...(reason && { reason }), ...(author && author !== baseUrl && { by: author }) };
  const told = tags && (type === 'tags' || Object.keys(tags).length > 0) && { tags: Object.freeze(tags) };
  const readiness = type === 'ready' && { ready: ready === 1 };
  const error = code && { error: Object.freeze({ code, message }) };
  return Object.freeze({
    type,
    baseUrl,
    monitor: monitor === 1,
    lastUpdate,
    ...offline,
    ...error,
    ...told,
    ...readiness,
    at,
    knownAfter,
  });
}

module.exports = {
  afterEvents,
  announceEngine,
  emitPending,
  emitSoon,
  forgetEvents,
  observers,
  recentEvents,
  shazbotEvents: Object.assign(emitter, { snapshot }),
  unchangedFor,
};
