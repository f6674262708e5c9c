'use strict';

// The HTTP client of the command line. It is not `fetch`, which refuses some ports, such as 6000.

const { once } = require('node:events');
const http = require('node:http');
const https = require('node:https');
const { adviceFor, wordsFor } = require('./causes.js');
const { CommandError } = require('./command-error.js');

/** The largest answer that is read, in characters: more than the status of 50 000 servers. */
const MAX_ANSWER = 64 << 20;

/**
 * @typedef {object} RequestOptions
 * @property {string} [secret] the Authorization header
 * @property {string | undefined} [body] JSON, sent by POST; without one the request is a GET
 * @property {number} timeout ms, for the whole answer
 * @property {http.Agent} [agent] without one each request has its own connection
 *
 * @typedef {object} Answer
 * @property {number} status
 * @property {http.IncomingHttpHeaders} headers
 * @property {any} json undefined if the body is not JSON
 * @property {number} took ms
 */

/**
 * Sends a request. Rejects if there is no answer, with an error that has a code of the table in causes.js.
 * @param {URL} url
 * @param {RequestOptions} options
 * @returns {Promise<Answer>}
 */
async function send(url, { secret, body, timeout, agent }) {
  const began = Date.now();
  const signal = AbortSignal.timeout(timeout);
  let isConnected = false;
  try {
    const request = (url.protocol === 'https:' ? https : http).request(url, {
      method: body ? 'POST' : 'GET',
      // The command would not end while a connection is kept open.
      agent: agent ?? false,
      signal,
      headers: {
        ...(secret && { Authorization: secret }),
        ...(body && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
      },
    });
    request.once('socket', (socket) => {
      isConnected = !socket.connecting;
      // A connection that an agent kept open has connected long ago.
      if (socket.connecting) {
        socket.once('connect', () => {
          isConnected = true;
        });
      }
    });
    request.end(body);
    // Node ends the connection after an answer with status 101 without an error.
    const closed = once(request, 'close').then(() => {
      throw Object.assign(new Error(), { code: 'ECONNRESET' });
    });
    const [response] = await Promise.race([once(request, 'response'), closed]);
    const json = parseJson(await readText(response.setEncoding('utf8'), MAX_ANSWER));
    return { status: response.statusCode, headers: response.headers, json, took: Date.now() - began };
  } catch (error) {
    if (!signal.aborted) throw error;
    const code = isConnected ? 'SHAZBOT_NO_ANSWER' : 'ETIMEDOUT';
    throw Object.assign(new Error(`${isConnected ? 'connected, no answer' : 'no connection'} in ${timeout / 1000} s`), {
      code,
    });
  }
}

/**
 * The error of a request as a sentence for the user.
 * @param {URL} url
 * @param {any} error
 */
function requestError(url, error) {
  const advice = adviceFor(error.code, url);
  const text = `Request to ${url.origin} failed: ${reasonOf(error)}${advice ? `. ${advice}` : ''}`;
  return Object.assign(new CommandError(text), { code: error.code });
}

/** @param {any} error of a connection */
function reasonOf(error) {
  if (error.code === 'ERR_INVALID_CHAR') {
    return 'the secret is not a valid HTTP header: it has a line break or a character outside Latin-1';
  }
  return error.code ? wordsFor(error.code, error.message) : error.message;
}

/**
 * @param {AsyncIterable<string>} stream
 * @param {number} limit in characters, a whole number of MiB
 */
async function readText(stream, limit) {
  let text = '';
  for await (const chunk of stream) {
    text += chunk;
    if (text.length > limit) throw new Error(`the answer is larger than ${limit >> 20} MiB`);
  }
  return text;
}

/**
 * @param {string} text
 * @returns {any} undefined if it is not JSON
 */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

module.exports = { parseJson, readText, reasonOf, requestError, send };
