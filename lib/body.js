'use strict';

/** @typedef {import('node:stream').Readable & { headers: import('node:http').IncomingHttpHeaders }} Incoming */

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
  const { 'content-type': type, 'content-encoding': encoding = 'identity', 'content-length': length } = stream.headers;
  // No server compresses what it sends here, and what is not inflated cannot be a bomb.
  if (encoding !== 'identity') throw refusal(415, `Content-Encoding: ${encoding} is not taken; send the body as it is`);
  if (Number(length) > limit) throw tooLarge(limit);
  const chunks = [];
  let size = 0;
  try {
    // The stream stays: its end would be that of the connection, and the answer could not be read.
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      size += chunk.length;
      if (size > limit) break;
      chunks.push(chunk);
    }
  } catch {
    throw refusal(400, 'The body was cut off');
  }
  if (size > limit) {
    stream.resume();
    throw tooLarge(limit);
  }
  if (size > 0 && !/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type ?? '')) {
    throw refusal(415, `Content-Type: ${type ?? 'none'} is not taken; it must be application/json`);
  }
  return Buffer.concat(chunks);
}

/** @param {Buffer} bytes */
function parse(bytes) {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // What V8 says of it would quote the body.
    throw refusal(400, 'The body is no JSON in UTF-8');
  }
}

/** @param {number} limit */
function tooLarge(limit) {
  return refusal(413, `The body is larger than ${limit} bytes`);
}

/**
 * An error that says what to answer with, as those of the engine do.
 * @param {number} status
 * @param {string} message
 */
function refusal(status, message) {
  return Object.assign(new Error(message), { status, statusCode: status, expose: true });
}

module.exports = { bodyOf, refusal };
