'use strict';

// Reads master lists as the engine does, and tests whether files can be written.

const { lookup } = require('node:dns/promises');
const { existsSync, statSync } = require('node:fs');
const { access, constants, readFile } = require('node:fs/promises');
const { isIP } = require('node:net');
const { dirname } = require('node:path');
const { fileURLToPath } = require('node:url');
const { parseJson, readText, reasonOf } = require('../http-client.js');

/** The largest list that the engine reads, in bytes; here in characters, which are never more. */
const MAX_LIST = 8 << 20;
const REDIRECTS = [301, 302, 303, 307, 308];

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
 * By `fetch`, which decompresses as the engine does. Follows a redirect only if the engine would.
 * @param {URL} url
 * @param {string | undefined} authorization
 * @param {number} timeout ms
 */
async function readListByHttp(url, authorization, timeout) {
  /** @type {Record<string, string>} */
  let headers = authorization ? { Authorization: authorization } : {};
  const { username, password } = url;
  if (username || password) {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    headers.Authorization ??= `Basic ${Buffer.from(credentials).toString('base64')}`;
    [url.username, url.password] = ['', ''];
  }
  const signal = AbortSignal.timeout(timeout);
  const urls = [url];
  let response = await readUrl(urls, headers, signal);
  for (let next = redirect(response); next; next = redirect(response)) {
    await response.body?.cancel();
    const place = new URL(next, urls.at(-1));
    // As the engine does: a header that was left out once is not sent again.
    if (place.origin !== urls.at(-1)?.origin) headers = {};
    urls.push(place);
    response = await readUrl(urls, headers, signal);
  }
  if (response.status === 404) return missingList();
  if (!response.ok) throw new Error(`the store answers ${response.status}`);
  if (!response.body) return parseList('');
  const text = await readText(response.body.pipeThrough(new TextDecoderStream()), MAX_LIST);
  // What another origin sends may be anything, and must not be shown.
  return parseList(text, urls.at(-1)?.origin === url.origin);
}

/**
 * @param {URL[]} urls the last one is read, to which those before it have redirected
 * @param {Record<string, string>} headers
 * @param {AbortSignal} signal
 */
async function readUrl(urls, headers, signal) {
  const url = /** @type {URL} */ (urls.at(-1));
  try {
    const isAddress = isIP(url.hostname.replace(/^\[|\]$/g, '')) > 0;
    const found = isAddress ? [] : await lookup(url.hostname, { all: true });
    const hrefs = urls.map(({ href }) => href);
    const addresses = found.map(({ address }) => address);
    const problem = require('../../binary.js').Engine.checkListUrl(hrefs, addresses);
    if (problem) throw new Error(problem);
    return await fetch(url, { headers, signal, redirect: 'manual' });
  } catch (error) {
    const { cause = error } = /** @type {{ cause?: unknown }} */ (error);
    throw new Error(reasonOf(cause));
  }
}

/** @param {Response} response */
const redirect = ({ status, headers }) => (REDIRECTS.includes(status) ? headers.get('location') : null);

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
