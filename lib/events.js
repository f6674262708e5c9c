'use strict';

const { channel } = require('node:diagnostics_channel');
const { EventEmitter } = require('node:events');
const { nextTick } = require('node:process');
const { settled } = require('./errors.js');
const { serverList } = require('./requests.js');
const { server } = require('./rows.js');

/** How many events are kept for whoever asks what has happened. */
const RECENT = 200;

/** @typedef {import('./native').Engine} Engine */
/** @typedef {import('../index.js').MemberEvent} MemberEvent */

const channels = {
  online: channel('clustershazbot:member:online'),
  offline: channel('clustershazbot:member:offline'),
  suspect: channel('clustershazbot:member:suspect'),
};

/**
 * Makes the emitter of what becomes of servers. The engine keeps what has happened until `tell` takes it, and waits for
 * nobody.
 * @param {Engine} engine
 */
function memberEvents(engine) {
  const emitter = new EventEmitter();
  /** @type {MemberEvent[]} */
  const recent = [];
  let isTelling = false;

  /** Tells what has happened since it was called last. Not within a listener: others have not heard of that event yet. */
  function tell() {
    if (isTelling) return;
    isTelling = true;
    try {
      for (let json = engine.takeEvents(); json; json = engine.takeEvents()) {
        for (const row of JSON.parse(json)) emit(event(row));
      }
    } finally {
      isTelling = false;
    }
  }

  /** @param {MemberEvent} event */
  function emit(event) {
    recent.push(event);
    if (recent.length > RECENT) recent.shift();
    if (channels[event.type].hasSubscribers) channels[event.type].publish(event);
    call(event.type, event);
    if (event.type !== 'suspect') call('change', event);
  }

  /**
   * @param {string} name
   * @param {MemberEvent} event
   */
  function call(name, event) {
    try {
      emitter.emit(name, event);
    } catch (error) {
      // It is uncaught, as it would be if this had been called by nobody: it keeps nothing from the others, nor from
      // whoever has asked for a snapshot.
      nextTick(() => {
        throw error;
      });
    }
  }

  function snapshot() {
    for (;;) {
      const version = settled(engine.version());
      tell();
      const lists = serverList(engine, true);
      if (settled(engine.version()) === version) return /** @type {Required<typeof lists>} */ (lists);
    }
  }

  function upToNow() {
    tell();
    return recent.slice();
  }

  return { shazbotEvents: Object.assign(emitter, { snapshot }), tell, recent: upToNow };
}

/**
 * @param {any[]} row
 * @returns {Readonly<MemberEvent>}
 */
function event([type, baseUrl, bits, lastUpdate, reason, by, at, knownAfter]) {
  const { listed, why } = server([baseUrl, bits, lastUpdate, reason, by]);
  return Object.freeze({ type, ...listed, ...why, at, knownAfter });
}

module.exports = { memberEvents };
