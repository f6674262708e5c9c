'use strict';

// Reads and parses the JSON body of a request, if no body parser of the program has done it.

const { shazbotError } = require('./errors.js');

/** Bytes over the limit that are still read and discarded: some clients read the answer only after they have sent all. */
const MAX_DISCARDED = 1 << 20;
/** After the answer to a body that is too large the connection is closed, but only after this time, for the same reason. */
const LINGER_MS = 2_000;
/** A body must arrive within this time: other servers have given up by then. Fastify has no limit, Node has 300 s. */
const TIMEOUT_MS = 30_000;
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/** @typedef {import('node:stream').Readable & { headers: import('node:http').IncomingHttpHeaders, complete: boolean }} Incoming */

/**
 * @param {Incoming} stream
 * @param {unknown} parsed the result of the program's body parser, if it has one
 * @param {number} limit in bytes, for a body that is read here
 * @returns {Promise<unknown>} undefined if there is no body
 */
async function readBody(stream, parsed, limit) {
  // Only the stream tells whether a parser has read it: Express 4 sets an empty object even if its parser skipped the body.
  if (stream.readable && !stream.readableDidRead) return parse(await read(stream, limit));
  return typeof parsed === 'string' || parsed instanceof Uint8Array ? parse(Buffer.from(parsed)) : parsed;
}

/**
 * @param {Incoming} stream
 * @param {number} limit
 */
async function read(stream, limit) {
  const tooLarge = () => {
    discard(stream);
    return shazbotError({ code: 'SHAZBOT_TOO_LARGE', status: 413, message: `The body is larger than ${limit} bytes` });
  };
  if (Number(stream.headers['content-length']) > limit + MAX_DISCARDED) throw tooLarge();
  const { bytes, size } = await collect(stream, limit);
  if (size > limit) throw tooLarge();
  const { 'content-type': type = 'none', 'content-encoding': encoding = 'identity' } = stream.headers;
  if (size > 0 && !JSON_TYPE.test(type)) {
    throw unsupported(`Content-Type: ${type}`, 'send application/json');
  }
  // No server compresses these requests, and a compressed body could be a bomb.
  if (encoding !== 'identity') throw unsupported(`Content-Encoding: ${encoding}`, 'send the body uncompressed');
  return bytes.subarray(0, size);
}

/**
 * @param {Incoming} stream
 * @param {number} limit bytes to keep; of what exceeds it only the size is counted
 */
async function collect(stream, limit) {
  // One buffer that grows: a buffer for each chunk takes a hundred times the memory if the body comes byte by byte.
  let bytes = Buffer.alloc(0);
  let size = 0;
  const timer = setTimeout(() => stream.destroy(), TIMEOUT_MS).unref();
  try {
    // Without `destroyOnReturn: false` a `break` would close the connection before the answer is sent.
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      // A chunk is a string if a middleware has set an encoding.
      const piece = Buffer.from(chunk);
      const begin = size;
      size += piece.length;
      if (size > limit + MAX_DISCARDED) break;
      if (size > limit) continue;
      if (size > bytes.length) bytes = Buffer.concat([bytes], Math.min(limit, 2 * size));
      bytes.set(piece, begin);
    }
  } catch {
    throw invalid('The body is incomplete: the connection was closed, or the body took too long');
  } finally {
    clearTimeout(timer);
  }
  return { bytes, size };
}

/** @param {Incoming} stream */
function discard(stream) {
  stream.resume();
  setTimeout(() => stream.complete || stream.destroy(), LINGER_MS).unref();
}

/** @param {Buffer} bytes */
function parse(bytes) {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The parser's own message would quote the body.
    throw invalid('The body is not valid JSON in UTF-8');
  }
}

/** @param {string} message */
function invalid(message) {
  return shazbotError({ code: 'SHAZBOT_INVALID_MESSAGE', status: 400, message });
}

/**
 * @param {string} header
 * @param {string} remedy
 */
function unsupported(header, remedy) {
  const message = `${header} is not supported: ${remedy}`;
  return shazbotError({ code: 'SHAZBOT_UNSUPPORTED_BODY', status: 415, message });
}

module.exports = { readBody };
