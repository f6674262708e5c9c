'use strict';

// Reads the body of a request, if no body parser of the program has done it, with bounds on its size, time and memory.

// The globals may be those of a simulated browser, as in Jest with jsdom.
const { Buffer } = require('node:buffer');
const { clearTimeout, setTimeout } = require('node:timers');
const { TextDecoder, types } = require('node:util');
const { shazbotError } = require('./errors.js');
const { Uploads } = require('./uploads.js');

/** Bytes over the limit that are still read and thrown away: some clients read the answer only after they have sent all. */
const MAX_DISCARDED = { withSecret: 1 << 20, withoutSecret: 64 << 10 };
/** The connection is closed after the answer to a body that is not read to its end, but only after this time, for the same reason. */
const LINGER_MS = 2_000;
/** What a connection on which nothing is read holds in Node's buffers, in bytes. */
const DISCARDING_COST = 64 << 10;
/** A body must arrive within this time: other servers have given up by then. Fastify has no limit, Node has 300 s. */
const TIMEOUT_MS = 30_000;
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/** Memory for the bodies of all callers with a secret, and of all without, in bytes. */
const uploads = { withSecret: new Uploads(20 << 20), withoutSecret: new Uploads(4 << 20) };

/** @typedef {import('node:stream').Readable & { complete?: boolean }} Stream of a body */
/** @typedef {Stream & { headers: import('node:http').IncomingHttpHeaders }} Incoming */
/** @typedef {'withSecret' | 'withoutSecret'} Caller */
/** @typedef {{ bytes: Uint8Array, free: () => void }} Body `free` must be called when the bytes are not needed any more */

/**
 * @param {Incoming} incoming
 * @param {unknown} parsed the result of the program's body parser, or a stream with which the program has replaced the request
 * @param {{ limit: number, hasSecret: boolean }} options `limit`: in bytes, for a body that is read here
 * @returns {Promise<Body | { parsed: unknown }>}
 */
async function readBody(incoming, parsed, { limit, hasSecret }) {
  const stream = isStream(parsed) ? parsed : incoming;
  // Only the stream tells whether a parser has read it: Express 4 sets an empty object even if its parser skipped the body.
  if (stream.readable && !stream.readableDidRead) {
    const body = await read(stream, incoming.headers, limit, hasSecret ? 'withSecret' : 'withoutSecret');
    return body.bytes.length > 0 ? body : { parsed: undefined };
  }
  if (typeof parsed !== 'string' && !types.isUint8Array(parsed)) return { parsed };
  return parsed.length > 0 ? { bytes: Buffer.from(parsed), free() {} } : { parsed: undefined };
}

/**
 * By a method: a caller may send JSON with any property, but not a function. Streams of another realm have another class.
 * @param {any} value
 * @returns {value is Stream}
 */
function isStream(value) {
  return typeof value?.pipe === 'function';
}

/**
 * @param {Stream} stream
 * @param {Incoming['headers']} headers
 * @param {number} limit
 * @param {Caller} caller
 */
async function read(stream, headers, limit, caller) {
  const tooLarge = () => {
    discard(stream, caller);
    return shazbotError({ code: 'SHAZBOT_TOO_LARGE', status: 413, message: `The body is larger than ${limit} bytes` });
  };
  if (Number(headers['content-length']) > limit + MAX_DISCARDED[caller]) throw tooLarge();
  const { size, ...body } = await collect(stream, limit, caller);
  try {
    if (size > limit) throw tooLarge();
    const { 'content-type': type = 'none', 'content-encoding': encoding = 'identity' } = headers;
    if (size > 0 && !JSON_TYPE.test(type)) {
      throw unsupported(`Content-Type: ${type}`, 'send application/json');
    }
    // No server compresses these requests, and a compressed body could be a bomb.
    if (encoding !== 'identity') throw unsupported(`Content-Encoding: ${encoding}`, 'send the body uncompressed');
    return body;
  } catch (error) {
    body.free();
    throw error;
  }
}

/**
 * @param {Stream} stream
 * @param {number} limit bytes to keep; of what exceeds it only the size is counted
 * @param {Caller} caller
 * @returns {Promise<Body & { size: number }>}
 */
function collect(stream, limit, caller) {
  return new Promise((resolve, reject) => {
    const bytes = new GrowingBytes(limit);
    const upload = uploads[caller].begin(() => {
      // The response closes the connection.
      stream.pause();
      fail(busy());
    });
    const timer = setTimeout(() => stream.destroy(), TIMEOUT_MS).unref();

    const stop = () => {
      clearTimeout(timer);
      stream.off('data', take).off('end', finish).off('error', cut).off('close', cut);
      // A stream without a listener would throw a later error.
      stream.on('error', () => {});
    };
    const free = () => {
      uploads[caller].end(upload);
      bytes.free();
    };
    const fail = (/** @type {Error} */ error) => {
      stop();
      free();
      reject(error);
    };
    const cut = () => fail(invalid('The body is incomplete: the connection was closed, or the body took too long'));
    const finish = () => {
      stop();
      upload.isComplete = true;
      resolve({ bytes: bytes.view(), size: bytes.size, free });
    };
    const take = (/** @type {Buffer | string} */ chunk) => {
      try {
        // A chunk is a string if a middleware has set an encoding.
        bytes.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
      } catch {
        // The system gives no memory.
        return upload.giveUp();
      }
      if (bytes.size > limit + MAX_DISCARDED[caller]) finish();
      // This may give up the upload.
      else uploads[caller].charge(upload, bytes.capacity);
    };
    stream.on('data', take).on('end', finish).on('error', cut).on('close', cut);
    uploads[caller].charge(upload, 0);
  });
}

/**
 * One buffer that grows in place, and that is freed without waiting for the garbage collector. A buffer for each chunk would
 * take a hundred times the memory if the body comes byte by byte.
 */
class GrowingBytes {
  size = 0;
  #limit;
  /** The only chunk so far: most bodies are one. @type {Uint8Array | undefined} */
  #first;
  /** @type {ReturnType<typeof growingBuffer> | undefined} */
  #buffer;

  /** @param {number} limit */
  constructor(limit) {
    this.#limit = limit;
  }

  get capacity() {
    return this.#buffer?.byteLength ?? this.#first?.length ?? 0;
  }

  /** @param {Uint8Array} chunk */
  push(chunk) {
    const begin = this.size;
    this.size += chunk.length;
    if (begin === 0) {
      this.#first = chunk;
      return;
    }
    if (this.size > this.#limit) return;
    this.#buffer ??= growingBuffer(this.#limit);
    const buffer = this.#buffer;
    if (this.size > buffer.byteLength) buffer.resize(Math.min(this.#limit, 2 * this.size));
    const target = new Uint8Array(buffer);
    if (this.#first) target.set(this.#first);
    this.#first = undefined;
    target.set(chunk, begin);
  }

  view() {
    if (this.#first) return this.#first;
    return this.#buffer
      ? new Uint8Array(this.#buffer, 0, Math.min(this.size, this.#buffer.byteLength))
      : new Uint8Array(0);
  }

  free() {
    this.#buffer?.resize(0);
    this.#first = undefined;
  }
}

/**
 * @param {number} maxByteLength
 * @returns {ArrayBuffer & { resize: (length: number) => void }} a type that the library of the type checker does not have yet
 */
function growingBuffer(maxByteLength) {
  return new /** @type {any} */ (ArrayBuffer)(0, { maxByteLength });
}

/**
 * Throws the rest of a body away, and ends the connection if it is too long or if others need the memory.
 * @param {Stream} stream
 * @param {Caller} caller
 */
function discard(stream, caller) {
  if (stream.complete || stream.destroyed) return void stream.resume();
  const upload = uploads[caller].begin(() => stream.destroy());
  const timer = setTimeout(() => stream.destroy(), LINGER_MS).unref();
  stream.once('close', () => {
    clearTimeout(timer);
    uploads[caller].end(upload);
  });
  let size = 0;
  stream.on('data', (/** @type {Buffer} */ { length }) => {
    size += length;
    // Even what is thrown away takes memory, until the next garbage collection.
    if (size > MAX_DISCARDED[caller]) stream.pause();
  });
  uploads[caller].charge(upload, DISCARDING_COST);
}

/** @param {Uint8Array} bytes */
function parseJson(bytes) {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The parser's own message would quote the body.
    throw invalid('The body is not valid JSON in UTF-8');
  }
}

// Begins like the engine's own refusal: other servers recognise by that that this one is up.
function busy() {
  const message = 'Too many gossip messages or other bodies arrive at once: try again';
  return Object.assign(shazbotError({ code: 'SHAZBOT_LIMIT', status: 429, message }), { isBusy: true });
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

/**
 * For a request that is refused before its body is read.
 * @param {Incoming} stream
 */
function discardBody(stream) {
  discard(stream, 'withoutSecret');
}

module.exports = { discardBody, parseJson, readBody };
