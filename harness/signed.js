'use strict';

// Signs gossip messages and answers as a server with SHAZBOT_AUTH=signed does.

const { createHmac, randomBytes } = require('node:crypto');

const { SECRET } = require('./cluster.js');
const { message } = require('./gossip.js');

/** @typedef {{ authorization: string, body: any, nonce: string }} Signed */

/**
 * @param {string} secret
 * @param {string[]} parts
 */
const mac = (secret, ...parts) => createHmac('sha256', secret).update(parts.join(' ')).digest('hex');

/**
 * Signs a message: its Authorization header, its body, and the nonce.
 *
 * @param {string} to base URL
 * @param {string} field `shazbot`
 * @param {{ secret?: string, time?: string }} [options] `time`: of the receiver, by default one that no server accepts
 * @returns {Signed}
 */
function sign(to, field, { secret = SECRET, time = '0.0' } = {}) {
  const nonce = randomBytes(16).toString('hex');
  const authorization = `Shazbot ${nonce} ${time} ${mac(secret, 'request', nonce, time, to, field)} ${to}`;
  return { authorization, body: { ...message(), shazbot: field }, nonce };
}

/**
 * The body of a signed answer.
 *
 * @param {string} authorization of the request
 * @param {string} own base URL of the server that answers
 * @param {string} field with its time, without a signature
 */
function signAnswer(authorization, own, field) {
  const [, nonce = ''] = authorization.split(' ');
  return { ...message(), shazbot: `${field} h${mac(SECRET, 'answer', nonce, own, field)}` };
}

/**
 * What the answer to a message says if the message was late or repeated, and undefined if it was handled.
 *
 * @param {any} answer
 * @returns {string | undefined} the time of the server that answers
 */
const refusedWith = (answer) => /^2 n([0-9a-f]+\.\d+) h[0-9a-f]{64}$/.exec(answer?.shazbot)?.[1];

/**
 * The time of a server, which it tells to a holder of the secret.
 *
 * @param {string} to base URL
 * @param {(signed: Signed) => Promise<any>} send returns the body of the answer
 * @returns {Promise<string>}
 */
async function timeOf(to, send) {
  const time = refusedWith(await send(sign(to, '2')));
  if (time === undefined) throw new Error(`${to} handled a message without its time`);
  return time;
}

module.exports = { refusedWith, sign, signAnswer, timeOf };
