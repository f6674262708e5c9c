'use strict';

// Reads master lists as the engine does, and tests whether files can be written.

const { existsSync, statSync } = require('node:fs');
const { access, constants, readFile } = require('node:fs/promises');
const { dirname } = require('node:path');
const { fileURLToPath } = require('node:url');
const { parseJson, readText, reasonOf } = require('../http-client.js');

/** The largest list that the engine reads, in bytes; here in characters, which are never more. */
const MAX_LIST = 8 << 20;

/** @typedef {{ list: any, state: 'missing' | 'empty' | 'read' }} ReadList */

/** @returns {ReadList} */
const missingList = () => ({ list: { online: [] }, state: 'missing' });

/**
 * Rejects with a sentence.
 * @param {string} place
 * @param {string | undefined} authorization
 * @param {number} timeout ms
 * @returns {Promise<ReadList>}
 */
async function readList(place, authorization, timeout) {
  const url = new URL(place);
  if (url.protocol !== 'file:') return readListByHttp(url, authorization, timeout);
  const file = fileURLToPath(url);
  if (!existsSync(dirname(file))) throw new Error(`the folder ${dirname(file)} does not exist`);
  if (!existsSync(file)) return missingList();
  // Reading a pipe would wait for a writer.
  const { size } = regularFile(file);
  if (size > MAX_LIST) throw new Error(`the file is larger than ${MAX_LIST >> 20} MiB`);
  return parseList(await readFile(file, 'utf8'));
}

/**
 * By `fetch`, which decompresses and follows redirects, as the engine does.
 * @param {URL} url
 * @param {string | undefined} authorization
 * @param {number} timeout ms
 */
async function readListByHttp(url, authorization, timeout) {
  /** @type {Record<string, string>} */
  const headers = authorization ? { Authorization: authorization } : {};
  const { username, password } = url;
  if (username || password) {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    headers.Authorization ??= `Basic ${Buffer.from(credentials).toString('base64')}`;
    [url.username, url.password] = ['', ''];
  }
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(timeout) }).catch((error) => {
    throw new Error(reasonOf(error.cause ?? error));
  });
  if (response.status === 404) return missingList();
  if (!response.ok) throw new Error(`the store answers ${response.status}`);
  if (!response.body) return parseList('');
  const text = await readText(response.body.pipeThrough(new TextDecoderStream()), MAX_LIST);
  // What another origin sends may be anything, and must not be shown.
  return parseList(text, new URL(response.url).origin === url.origin);
}

/**
 * @param {string} text
 * @param {boolean} [mayShow] whether an error may show how the text begins
 * @returns {ReadList}
 */
function parseList(text, mayShow = true) {
  if (!text.trim()) return { ...missingList(), state: 'empty' };
  // Some editors write a byte order mark.
  const list = parseJson(text.replace(/^\uFEFF/, ''));
  if (!Array.isArray(list?.online)) {
    if (!mayShow) throw new Error('it redirects to another origin, and no list is there');
    const start = JSON.stringify(text.trim().slice(0, 20));
    throw new Error(`it is not a list such as {"online":[…]}: it begins with ${start}`);
  }
  return { list, state: 'read' };
}

/**
 * Rejects with a sentence if the current user cannot replace the file.
 * @param {string} place a path or a file URL
 */
async function mustBeWritable(place) {
  const file = place.startsWith('file:') ? fileURLToPath(place) : place;
  // The engine writes a new file beside it and renames that.
  await access(dirname(file), constants.W_OK | constants.X_OK);
  if (!existsSync(file)) return;
  regularFile(file);
  await access(file, constants.R_OK | constants.W_OK);
}

/** @param {string} file */
function regularFile(file) {
  const stat = statSync(file);
  if (!stat.isFile()) throw new Error(`${file} is not a regular file`);
  return stat;
}

/**
 * A URL without credentials and query, which may be secret.
 * @param {string} url
 */
function redactUrl(url) {
  if (!URL.canParse(url)) return JSON.stringify(url.slice(0, 60));
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

module.exports = { mustBeWritable, readList, redactUrl };
