'use strict';

const { readFileSync } = require('node:fs');
const http = require('node:http');
const https = require('node:https');

/** Characters of an answer: more than a status of 50 000 servers has. */
const MOST = 64 << 20;

const LOOPBACK = /^(?:localhost|127\..*|\[::1\])$/;

/** A sentence for the user, where a stack would tell nothing more; and what the command ends with. */
class Refusal extends Error {
  /**
   * @param {string} message
   * @param {number} [code] 1: the answer is no; 2: the command is used wrongly
   * @param {'wrong secret' | 'no status' | 'no server'} [kind] for whoever goes on
   */
  constructor(message, code = 1, kind = undefined) {
    super(message);
    this.code = code;
    this.kind = kind;
  }
}

/** @type {Record<string, string>} */
const REASONS = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'there is no host of that name',
  EPROTO: 'it speaks no TLS that is taken here; is it http?',
  ERR_INVALID_CHAR: 'a secret is no HTTP header: it has a line break, or letters beyond Latin-1',
};

/** @param {any} error of the network */
const reasonOf = (error) => REASONS[error.code] ?? (error.message || error.code);

/** @typedef {{ url?: string, 'secret-file'?: string, timeout?: string }} Options of all commands */

/**
 * The server that a command is about.
 * @param {Options} options
 * @param {NodeJS.ProcessEnv} env
 */
function serverOf({ url = '', 'secret-file': file = '', timeout = '5' }, env) {
  const text = url || env.SHAZBOT_BASE_URL;
  if (!text)
    throw new Refusal('Which server? Set SHAZBOT_BASE_URL, or say --url http://127.0.0.1:3000/', 2, 'no server');
  const base = parsed(text);
  if (!base) {
    const what = 'must be an http or https URL, such as http://127.0.0.1:3000/, without user name, query and fragment';
    throw new Refusal(`${url ? '--url' : 'SHAZBOT_BASE_URL'} ${what}`, 2, 'no server');
  }
  const seconds = Number(timeout);
  if (!(seconds > 0 && seconds <= 3600))
    throw new Refusal('--timeout must be seconds, more than 0 and at most 3600', 2);
  // Of this machine a container asks by a loopback address, and is listed by its base URL.
  const own = LOOPBACK.test(base.hostname) ? parsed(env.SHAZBOT_BASE_URL ?? '') : undefined;
  return { base, listed: (own ?? base).href, ...secretOf(file, env), timeout: seconds * 1000 };
}

/**
 * A base URL, or undefined where it can be none.
 * @param {string} text
 */
function parsed(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) return;
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/**
 * Never from the command line, which others on the machine can read.
 * @param {string} option
 * @param {NodeJS.ProcessEnv} env
 */
function secretOf(option, env) {
  const file = option || env.SHAZBOT_CONTROL_SECRET_FILE;
  if (!file) return { secret: env.SHAZBOT_CONTROL_SECRET ?? '', secretFrom: 'SHAZBOT_CONTROL_SECRET' };
  try {
    const secret = readFileSync(file, 'utf8').trim();
    if (secret) return { secret, secretFrom: `the secret in ${file}` };
  } catch (error) {
    throw new Refusal(`The secret cannot be read from ${file}: ${/** @type {Error} */ (error).message}`, 2);
  }
  throw new Refusal(`There is no secret in ${file}: it is empty`, 2);
}

/** @typedef {ReturnType<typeof serverOf> & { signal?: AbortSignal }} Server */

/**
 * @param {Server} server
 * @param {'list' | 'status' | 'control'} route
 * @param {object} [body]
 * @returns {Promise<any>} what it answers; rejects with a sentence
 */
async function ask({ base, secret, secretFrom, timeout, signal }, route, body) {
  const url = new URL(`clustershazbot/${route}`, base);
  const { status, json } = await send(url, { secret, timeout, signal, body: body && JSON.stringify(body) });
  if (status >= 200 && status < 300 && json) {
    if (shapes[route](json)) return json;
    throw new Refusal(`${url} answers something else than a ${route}: another server?`);
  }
  if (status === 401) {
    const which = secret ? 'is not the one of that server' : 'is not set';
    const others = secret ? '' : ', nor SHAZBOT_CONTROL_SECRET_FILE, nor --secret-file';
    throw new Refusal(`${base} refuses: ${secretFrom} ${which}${others}`, 1, 'wrong secret');
  }
  if (status === 404 && route === 'status') {
    throw new Refusal(
      `${base} has no status: its routes are written by hand. The ready-made ones have it, see the README`,
      1,
      'no status',
    );
  }
  const why = json?.error ?? json?.message;
  throw new Refusal(
    `${url} answers ${status}${typeof why === 'string' ? `: ${why}` : ''}${json ? '' : ', and no JSON'}`,
  );
}

/** @param {any} them */
const areServers = (them) => Array.isArray(them) && them.every((it) => typeof it?.baseUrl === 'string');

/** What of an answer is relied on. */
const shapes = {
  list: (/** @type {any} */ it) => areServers(it.online) && (it.offline === undefined || areServers(it.offline)),
  status: (/** @type {any} */ it) =>
    areServers(it.members) && it.exchanges?.out && Array.isArray(it.masterLists) && it.masterLists.every(Boolean),
  control: () => true,
};

/**
 * @param {URL} url
 * @param {{ secret?: string, timeout: number, signal?: AbortSignal | undefined, body?: string | undefined }} options
 * @returns {Promise<{ status: number, json: any, date: number, took: number }>}
 */
function send(url, { secret = '', timeout, signal, body }) {
  return new Promise((resolve, reject) => {
    const began = Date.now();
    const fail = (/** @type {any} */ error) => {
      reject(new Refusal(`${url.origin} cannot be asked: ${reasonOf(error)}`));
    };
    try {
      const request = (url.protocol === 'https:' ? https : http).request(url, {
        method: body ? 'POST' : 'GET',
        // None is left open: the command would wait for it.
        agent: false,
        signal: AbortSignal.timeout(timeout),
        headers: {
          ...(secret && { Authorization: secret }),
          ...(body && { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
        },
      });
      let isAnswered = false;
      const end = () => request.destroy();
      signal?.addEventListener('abort', end);
      request.on('close', () => {
        signal?.removeEventListener('abort', end);
        // 101 is no answer, and no error to Node.
        if (!isAnswered) fail({ message: 'it ends the connection without an answer' });
      });
      request.on('error', (error) => {
        fail(
          error.name === 'AbortError' || error.name === 'TimeoutError'
            ? { message: `no answer in ${timeout / 1000} s` }
            : error,
        );
      });
      request.on('response', async (response) => {
        isAnswered = true;
        let text = '';
        try {
          for await (const chunk of response.setEncoding('utf8')) {
            text += chunk;
            if (text.length > MOST) throw new Error(`it answers more than ${MOST >> 20} MiB`);
          }
        } catch (error) {
          return fail(error);
        }
        const date = Date.parse(response.headers.date ?? '');
        resolve({ status: Number(response.statusCode), json: json(text), date, took: Date.now() - began });
      });
      request.end(body);
    } catch (error) {
      // A header takes no line break and no letter beyond Latin-1.
      fail(error);
    }
  });
}

/** @param {string} text */
function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

module.exports = { LOOPBACK, Refusal, ask, json, parsed, reasonOf, send, serverOf };
