'use strict';

const http = require('node:http');
const { setTimeout: sleep } = require('node:timers/promises');

const { close, listen, parse, readBody } = require('./http.js');
const { freePorts } = require('./ports.js');

/** @typedef {'404' | '500' | 'malformed' | 'hang' | 'slow'} Fault */
/** @typedef {{ method: string, authorization: string | undefined, body: any, at: number, status?: number }} Call */

/**
 * A store of one JSON document over HTTP, as a plain web server with PUT is one: no conditions, no tags.
 *
 * @param {import('./cluster.js').Scope} scope
 * @param {{ auth?: string, list?: unknown, port?: number }} [options] `auth`: what a PUT has to bring; `list`: the
 *   document, none at first
 */
async function startStore(scope, { auth = 'Bearer the-update-secret', list, port } = {}) {
  const at = port ?? (await freePorts(1))[0];
  const url = `http://127.0.0.1:${at}/servers.json`;
  const store = {
    url,
    env: { SHAZBOT_MASTER_LIST: url, SHAZBOT_MASTER_LIST_UPDATE: url, SHAZBOT_MASTER_LIST_UPDATE_AUTH: auth },
    /** @type {any} undefined: there is none; a string goes out as it is */
    list,
    /** @type {{ GET?: Fault, PUT?: Fault }} */
    faults: {},
    /** @type {Call[]} */
    calls: [],
    /** @param {string} method */
    count: (method) => store.calls.filter((call) => call.method === method).length,
    /** @returns {string[]} base URLs in the list, sorted */
    servers: () => (store.list?.online ?? []).map((/** @type {any} */ entry) => entry.baseUrl).sort(),
  };
  const server = http.createServer(async (req, res) => {
    const method = req.method ?? '';
    const text = await readBody(req);
    /** @type {Call} */
    const call = { method, authorization: req.headers.authorization, body: parse(text), at: Date.now() };
    store.calls.push(call);
    /** @param {number} status */
    const answer = (status, body = '') => {
      call.status = status;
      res.writeHead(status, { 'content-type': 'application/json' }).end(body);
    };
    const fault = method === 'GET' || method === 'PUT' ? store.faults[method] : undefined;
    if (fault === 'hang') return;
    if (fault === 'slow') await sleep(1_000);
    if (fault === '404' || fault === '500') return answer(Number(fault));
    if (fault === 'malformed') return answer(200, '{"online":[');
    if (method === 'GET') {
      if (store.list === undefined) return answer(404);
      return answer(200, typeof store.list === 'string' ? store.list : JSON.stringify(store.list));
    }
    if (method !== 'PUT') return answer(405);
    if ((call.authorization ?? '') !== auth) return answer(401);
    if (call.body === undefined) return answer(400);
    store.list = call.body;
    answer(204);
  });
  await listen(server, /** @type {number} */ (at));
  scope.after(() => close(server));
  return store;
}

module.exports = { startStore };
