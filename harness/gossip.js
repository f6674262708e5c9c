'use strict';

const assert = require('node:assert/strict');

const { SECRET } = require('./cluster.js');
const { request } = require('./http.js');

/** @typedef {Record<string, unknown>} Entry whatever a test wants to say */

/**
 * An entry as a version 1 server writes it.
 *
 * @param {string} baseUrl
 * @param {number} [age] in ms; negative for a stamp in the future
 * @returns {{ baseUrl: string, monitor: boolean, lastUpdate: number }}
 */
const entry = (baseUrl, age = 0) => ({ baseUrl, monitor: false, lastUpdate: Date.now() - age });

/**
 * A gossip message as a version 1 server writes it: three fields.
 *
 * @param {unknown[]} [online]
 * @param {unknown[]} [offline]
 * @returns {any} so that it can be handed to the functions whatever is in it
 */
const message = (online = [], offline = []) => ({ message: 'gossip', online, offline });

/**
 * Sends a body to the gossip route of a server.
 *
 * @param {string} url base URL
 * @param {unknown} body
 * @param {{ authorization?: string }} [options]
 */
function gossip(url, body, { authorization = SECRET } = {}) {
  return request(`${url}clustershazbot/gossip`, { method: 'POST', headers: { authorization }, body });
}

/** Servers in a message: Express refuses bodies over 100 kB. */
const PART = 500;

/**
 * Tells a server of others, in messages as version 1 servers send them.
 *
 * @param {string} url base URL
 * @param {'online' | 'offline'} state
 * @param {unknown[]} entries
 */
async function tell(url, state, entries) {
  for (let n = 0; n < entries.length; n += PART) {
    const { status, text } = await gossip(url, { ...message(), [state]: entries.slice(n, n + PART) });
    assert.equal(status, 200, text);
  }
}

/**
 * What a server holds of another, with the fields that only servers see. Asked for as a version 1 peer asks, to
 * which a server answers with all it has.
 *
 * @param {string} url base URL of the server asked
 * @param {string} about base URL
 * @returns {Promise<{ online?: any, offline?: any }>}
 */
async function heldOf(url, about) {
  const { json } = await gossip(url, message());
  /** @param {any[]} entries */
  const find = (entries = []) => entries.find((one) => one.baseUrl === about);
  return { online: find(json?.online), offline: find(json?.offline) };
}

module.exports = { entry, gossip, heldOf, message, tell };
