'use strict';

// Makes gossip messages of version 1, and sends messages to the gossip route of a server.

const assert = require('node:assert/strict');

const { SECRET } = require('./cluster.js');
const { request } = require('./http.js');

/** @typedef {Record<string, unknown>} Entry also an invalid one */

/**
 * An entry in version 1's format.
 *
 * @param {string} baseUrl
 * @param {number} [age] in ms; negative for a stamp in the future
 * @returns {{ baseUrl: string, monitor: boolean, lastUpdate: number }}
 */
const entry = (baseUrl, age = 0) => ({ baseUrl, monitor: false, lastUpdate: Date.now() - age });

/**
 * A gossip message in version 1's format, with its three fields.
 *
 * @param {unknown[]} [online]
 * @param {unknown[]} [offline]
 * @returns {any} also accepted by the functions if an entry is not valid
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

/** Entries in a message: Express refuses bodies over 100 kB. */
const PART = 500;

/**
 * Sends a server entries of others, in messages of version 1.
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
 * The entry that a server holds of another, with the fields that only servers see. Asks as a version 1 peer, because
 * that gets the whole list.
 *
 * @param {string} url base URL of the server asked
 * @param {string} about base URL
 * @returns {Promise<{ online?: any, offline?: any }>}
 */
async function listedEntry(url, about) {
  const { json } = await gossip(url, message());
  /** @param {any[]} entries */
  const find = (entries = []) => entries.find((one) => one.baseUrl === about);
  return { online: find(json?.online), offline: find(json?.offline) };
}

module.exports = { entry, gossip, listedEntry, message, tell };
