'use strict';

const { readFileSync } = require('node:fs');
const http = require('node:http');
const https = require('node:https');

/** Characters of an answer: more than a status of 50 000 servers has. */
const MOST = 64 << 20;

/** A sentence for the user, where a stack would tell nothing more; and what the command ends with. */
class Refusal extends Error {
  /**
   * @param {string} message
   * @param {number} [code] 1: the answer is no; 2: the command is used wrongly
   * @param {'wrong secret' | 'no status'} [kind] for whoever goes on
   */
  constructor(message, code = 1, kind = undefined) {
    super(message);
    this.code = code;
    this.kind = kind;
  }
}

/** @typedef {{ url?: string, 'secret-file'?: string, timeout?: string }} Options of all commands */

/**
 * The server that a command is about.
 * @param {Options} options
 * @param {NodeJS.ProcessEnv} env
 */
function serverOf({ url = '', 'secret-file': file = '', timeout = '5' }, env) {
  const text = url || env.SHAZBOT_BASE_URL;
  if (!text) throw new Refusal('Which server? Set SHAZBOT_BASE_URL, or say --url http://127.0.0.1:3000/', 2);
  const base = URL.canParse(text) ? new URL(text) : undefined;
  if (!base || !/^https?:$/.test(base.protocol)) {
    throw new Refusal(
      `${url ? '--url' : 'SHAZBOT_BASE_URL'} must be an http or https URL, such as http://127.0.0.1:3000/`,
      2,
    );
  }
  const seconds = Number(timeout);
  if (!(seconds > 0 && seconds <= 3600))
    throw new Refusal('--timeout must be seconds, more than 0 and at most 3600', 2);
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return { base, secret: secretOf(file, env), timeout: seconds * 1000 };
}

/**
 * Never from the command line, which others on the machine can read.
 * @param {string} option
 * @param {NodeJS.ProcessEnv} env
 */
function secretOf(option, env) {
  const file = option || env.SHAZBOT_CONTROL_SECRET_FILE;
  if (!file) return env.SHAZBOT_CONTROL_SECRET ?? '';
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new Refusal(`The secret cannot be read from ${file}: ${/** @type {Error} */ (error).message}`, 2);
  }
}

/** @typedef {ReturnType<typeof serverOf> & { signal?: AbortSignal }} Server */

/**
 * @param {Server} server
 * @param {'list' | 'status' | 'control'} route
 * @param {object} [body]
 * @returns {Promise<any>} what it answers; rejects with a sentence
 */
async function ask({ base, secret, timeout, signal }, route, body) {
  const url = new URL(`clustershazbot/${route}`, base);
  const { status, json } = await send(url, { secret, timeout, signal, body: body && JSON.stringify(body) });
  if (status >= 200 && status < 300 && json) {
    if (shapes[route](json)) return json;
    throw new Refusal(`${url} answers something else than a ${route}: another server?`);
  }
  if (status === 401) {
    const which = secret ? 'is not the one of that server' : 'is not set';
    throw new Refusal(
      `${base} refuses: SHAZBOT_CONTROL_SECRET ${which} (or SHAZBOT_CONTROL_SECRET_FILE, --secret-file)`,
      1,
      'wrong secret',
    );
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
  list: (/** @type {any} */ it) => areServers(it.online) && areServers(it.offline ?? []),
  status: (/** @type {any} */ it) => areServers(it.members) && it.exchanges?.out && Array.isArray(it.masterLists),
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
      const why = error.code === 'ECONNREFUSED' ? 'nobody listens there' : error.message || error.code;
      reject(new Refusal(`${url.origin} cannot be asked: ${why}`));
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
      const end = () => request.destroy();
      signal?.addEventListener('abort', end);
      request.on('close', () => signal?.removeEventListener('abort', end));
      request.on('error', (error) => {
        fail(
          error.name === 'AbortError' || error.name === 'TimeoutError'
            ? { message: `no answer in ${timeout / 1000} s` }
            : error,
        );
      });
      request.on('response', async (response) => {
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
        resolve({ status: Number(response.statusCode), json: parse(text), date, took: Date.now() - began });
      });
      request.end(body);
    } catch (error) {
      // A header takes no line break and no letter beyond Latin-1.
      fail(error);
    }
  });
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

module.exports = { Refusal, ask, send, serverOf };
