'use strict';

// Sends a server the gossip of another server: idle exchanges of protocol 2, or whole lists of version 1.

const assert = require('node:assert/strict');

const { entry, gossip, message } = require('../../../harness/gossip.js');

/** A digest leaves out tombstones older than this, ms. */
const OLD = 21 * 3_600_000;
/** The unit of the stamps that a message sends by their position in the list, ms. */
const UNIT = 128;
/** An answer without a repair has fewer bytes. */
const IDLE = 1_000;

/** Sends one message and resolves with the number of bytes of the answer. @typedef {() => Promise<number>} Gossip */

/**
 * Exchanges between two servers of protocol 2 with equal lists: a digest, and newer stamps each time.
 *
 * @param {string} url base URL of the server that is sent to
 * @param {{ baseUrl: string, shazbot: string }} sender a server that it knows
 * @returns {Promise<Gossip>}
 */
async function idle(url, sender) {
  const send = async (/** @type {string} */ words) => {
    const own = { ...entry(sender.baseUrl), shazbot: sender.shazbot };
    const shazbot = `2 so${own.lastUpdate}>${own.baseUrl}>${own.shazbot} ${words}`;
    const { status, text, json } = await gossip(url, { ...message([own]), shazbot });
    assert.equal(status, 200, text);
    return { bytes: text.length, words: String(json.shazbot) };
  };
  const word = (/** @type {string} */ words, /** @type {RegExp} */ which) => {
    const found = which.exec(words);
    assert.ok(found, words);
    return found[0];
  };
  // The first answer has the digest to agree with; the second, to that digest, has the stamps.
  const digest = word((await send(`d0.${Date.now() - OLD}`)).words, /d[0-9a-f]+\.\d+/);
  const ages = word((await send(digest)).words, /(?<= a\d+)\..+/);
  return async () => {
    const { bytes, words } = await send(`${digest} a${Math.floor(Date.now() / UNIT)}${ages}`);
    assert.ok(words.includes(digest) && bytes < IDLE, `not an idle exchange: ${words}`);
    return bytes;
  };
}

/**
 * The whole list of a version 1 server, each time with newer stamps; the answer is another whole list.
 *
 * @param {string} url base URL of the server that is sent to
 * @param {{ baseUrl: string }[]} known
 * @returns {Gossip}
 */
function whole(url, known) {
  return async () => {
    const { status, text } = await gossip(url, message(known.map(({ baseUrl }) => entry(baseUrl))));
    assert.equal(status, 200);
    return text.length;
  };
}

module.exports = { idle, whole };
