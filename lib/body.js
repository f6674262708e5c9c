'use strict';

const { shazbotError } = require('./errors.js');

/** How much more than is taken is read before the answer, bytes: who writes on does not always read it. */
const DRAINED = 1 << 20;
/** For how long more than that may come, ms: whoever writes may not have seen the answer yet. */
const LINGER = 2_000;
/** How long a body may take, ms: whoever sends one has given up by then. Fastify has no limit of its own, Node 300 s. */
const PATIENCE = 30_000;
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/** @typedef {import('node:stream').Readable & { headers: import('node:http').IncomingHttpHeaders, complete: boolean }} Incoming */

/**
 * The parsed body of a request: what a body parser has made of it, or, where none has read it, what is read here.
 * @param {Incoming} stream
 * @param {unknown} parsed what a parser has left, if one was there
 * @param {number} limit bytes that are read here
 * @returns {Promise<unknown>} undefined where there is none
 */
async function bodyOf(stream, parsed, limit) {
  // Express 4's parser leaves an empty object also where it has not read: only the stream says so.
  if (stream.readable && !stream.readableDidRead) return parse(await read(stream, limit));
  return typeof parsed === 'string' || parsed instanceof Uint8Array ? parse(Buffer.from(parsed)) : parsed;
}

/**
 * @param {Incoming} stream
 * @param {number} limit
 */
async function read(stream, limit) {
  // One, which grows: a buffer for each chunk would cost a hundred times what is in it, where each has a byte.
  let bytes = Buffer.alloc(0);
  let size = 0;
  const tooLarge = () => {
    discard(stream);
    return shazbotError({ code: 'SHAZBOT_TOO_LARGE', status: 413, message: `The body is larger than ${limit} bytes` });
  };
  if (Number(stream.headers['content-length']) > limit + DRAINED) throw tooLarge();
  const patience = setTimeout(() => stream.destroy(), PATIENCE).unref();
  try {
    // Destroyed it would take the connection with it, and the answer.
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      // Text, where a middleware has set an encoding.
      const piece = Buffer.from(chunk);
      const begin = size;
      size += piece.length;
      if (size > limit + DRAINED) break;
      if (size > limit) continue;
      if (size > bytes.length) bytes = Buffer.concat([bytes], Math.min(limit, 2 * size));
      bytes.set(piece, begin);
    }
  } catch {
    throw invalid('The body was cut off');
  } finally {
    clearTimeout(patience);
  }
  if (size > limit) throw tooLarge();
  const { 'content-type': type = 'none', 'content-encoding': encoding = 'identity' } = stream.headers;
  if (size > 0 && !JSON_TYPE.test(type)) {
    throw notTaken(`Content-Type: ${type}`, 'it must be application/json');
  }
  // No server compresses what it sends here, and what is not inflated cannot be a bomb.
  if (encoding !== 'identity') throw notTaken(`Content-Encoding: ${encoding}`, 'send the body as it is');
  return bytes.subarray(0, size);
}

/** @param {Incoming} stream */
function discard(stream) {
  stream.resume();
  setTimeout(() => stream.complete || stream.destroy(), LINGER).unref();
}

/** @param {Buffer} bytes */
function parse(bytes) {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // What V8 says of it would quote the body.
    throw invalid('The body is no JSON in UTF-8');
  }
}

/** @param {string} message */
function invalid(message) {
  return shazbotError({ code: 'SHAZBOT_INVALID_MESSAGE', status: 400, message });
}

/**
 * @param {string} what
 * @param {string} remedy
 */
function notTaken(what, remedy) {
  return shazbotError({ code: 'SHAZBOT_UNSUPPORTED_BODY', status: 415, message: `${what} is not taken; ${remedy}` });
}

module.exports = { bodyOf };
