'use strict';

// What a master list and a state file are to the user of a command.

const { existsSync, statSync } = require('node:fs');
const { access, constants, readFile } = require('node:fs/promises');
const { dirname } = require('node:path');
const { fileURLToPath } = require('node:url');
const { json, reasonOf } = require('./server.js');

/** The largest list that the engine reads, characters at least. */
const MOST = 8 << 20;

const NOT_THERE = { found: { online: [] }, says: 'it is not there yet: the first server writes it' };

/**
 * Rejects with a sentence.
 * @param {string} place
 * @param {string | undefined} auth
 * @param {number} timeout
 * @returns {Promise<{ found: any, says: string }>}
 */
async function readList(place, auth, timeout) {
  const url = new URL(place);
  if (url.protocol === 'file:') {
    const file = fileURLToPath(url);
    if (!existsSync(dirname(file))) throw new Error(`there is no folder ${dirname(file)}`);
    if (!existsSync(file)) return NOT_THERE;
    // A pipe would be waited for.
    const { size } = aFile(file);
    if (size > MOST) throw tooLarge();
    return described(await readFile(file, 'utf8'));
  }
  // Inflates what is stored compressed and follows redirects, as the engine does.
  /** @type {Record<string, string>} */
  const headers = auth ? { Authorization: auth } : {};
  const { username, password } = url;
  if (username || password) {
    const name = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    headers.Authorization ??= `Basic ${Buffer.from(name).toString('base64')}`;
    [url.username, url.password] = ['', ''];
  }
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(timeout) }).catch((error) => {
    throw new Error(reasonOf(error.cause ?? error));
  });
  if (response.status === 404) return NOT_THERE;
  if (!response.ok) throw new Error(`it answers ${response.status}`);
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.length > MOST) throw tooLarge();
  }
  return described(text);
}

const tooLarge = () => new Error(`it is over ${MOST >> 20} MiB`);

/** @param {string} text */
function described(text) {
  if (!text.trim()) return { ...NOT_THERE, says: 'it is empty yet: the first server writes it' };
  // With or without the mark that some editors begin a file with.
  const found = json(text.replace(/^\uFEFF/, ''));
  if (!Array.isArray(found?.online)) {
    throw new Error(`it is no list, {"online":[…]}: it begins with ${JSON.stringify(text.trim().slice(0, 20))}`);
  }
  const count = found.online.length;
  return { found, says: `it names ${count} ${count === 1 ? 'server' : 'servers'}` };
}

/**
 * Rejects with a sentence where the user of this command cannot write a file.
 * @param {string} place a path, or a URL of one
 */
async function mustBeWritable(place) {
  const file = place.startsWith('file:') ? fileURLToPath(place) : place;
  // It is replaced, by one that is made beside it.
  await access(dirname(file), constants.W_OK | constants.X_OK);
  if (!existsSync(file)) return;
  aFile(file);
  await access(file, constants.R_OK | constants.W_OK);
}

/** @param {string} file */
function aFile(file) {
  const stat = statSync(file);
  if (!stat.isFile()) throw new Error(`${file} is no file`);
  return stat;
}

/** Without what may be secret in it. @param {string} place */
function shown(place) {
  if (!URL.canParse(place)) return JSON.stringify(place.slice(0, 60));
  const { protocol, host, pathname } = new URL(place);
  return `${protocol}//${host}${pathname}`;
}

module.exports = { mustBeWritable, readList, shown };
