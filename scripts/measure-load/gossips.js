'use strict';

const assert = require('node:assert/strict');

const { entry, gossip, message } = require('../../__test__/support/gossip.js');

/** Tombstones stamped so long ago count in no digest, ms. */
const OLD = 21 * 3_600_000;
/** The unit in which stamps go by place, ms. */
const UNIT = 128;
/** An exchange in which nothing is repaired has fewer bytes each way. */
const IDLE = 1_000;

/** Sends one message, and resolves with how many bytes the answer has. @typedef {() => Promise<number>} Gossip */

/**
 * The exchanges of a server of ours with another that knows the same: with its digest, and with stamps that are news.
 *
 * @param {string} url base URL of the server that is sent to
 * @param {{ baseUrl: string, shazbot: string }} sender that it knows
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
  // Its own digest, to agree with; then the stamps that it tells whoever agrees.
  const digest = word((await send(`d0.${Date.now() - OLD}`)).words, /d[0-9a-f]+\.\d+/);
  const ages = word((await send(digest)).words, /(?<= a\d+)\..+/);
  return async () => {
    const { bytes, words } = await send(`${digest} a${Math.floor(Date.now() / UNIT)}${ages}`);
    assert.ok(words.includes(digest) && bytes < IDLE, `no idle exchange: ${words}`);
    return bytes;
  };
}

/**
 * The whole list of a version 1 server, in which every stamp is news; the answer is another whole list.
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
