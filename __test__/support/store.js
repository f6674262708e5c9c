'use strict';

const http = require('node:http');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { setTimeout: sleep } = require('node:timers/promises');
const { gzipSync } = require('node:zlib');

const { close, listen, parse, readBody } = require('../../harness/http.js');
const { freePorts } = require('../../harness/ports.js');

/** @typedef {'404' | '500' | 'malformed' | 'html' | 'half' | 'huge' | 'hang' | 'slow'} Fault */
/** @typedef {'none' | 'strong' | 'weak' | 'generation' | 'changed' | 'unknown'} Tags */
/**
 * @typedef {object} Call
 * @property {string} method
 * @property {string | undefined} authorization
 * @property {http.IncomingHttpHeaders} headers
 * @property {any} body
 * @property {number} at
 * @property {number} [status]
 */

/** More than any list has, in parts. */
const HUGE = 200;
const PART = Buffer.alloc(1 << 20, 0x20);

/**
 * A store of one JSON document over HTTP. As a plain web server with PUT it has no conditions and no tags.
 *
 * @param {import('../../harness/cluster.js').Scope} scope
 * @param {{ auth?: string, list?: unknown, port?: number, tags?: Tags, gzip?: boolean }} [options] `auth`: what a PUT
 *   has to bring; `list`: the document, none at first; `tags`: by what it tells whether a document has changed since it
 *   was read, and heeds conditions on that, but for weak ones; `changed` are on the way, as by a proxy, and
 *   of `unknown` use, so that a condition is answered with 501; `gzip`: it keeps
 *   the document so
 */
async function startStore(scope, { auth = 'Bearer the-update-secret', list, port, tags = 'none', gzip = false } = {}) {
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
  let version = 1;
  const server = http.createServer(async (req, res) => {
    const method = req.method ?? '';
    const text = await readBody(req);
    const { headers } = req;
    /** @type {Call} */
    const call = { method, authorization: headers.authorization, headers, body: parse(text), at: Date.now() };
    store.calls.push(call);
    /** @param {number} status */
    const answer = (status, body = '', type = 'application/json') => {
      call.status = status;
      res.writeHead(status, { 'content-type': type, ...tag() });
      res.end(gzip && body ? gzipSync(body) : body);
    };
    /** @returns {Record<string, string>} */
    const tag = () => {
      /** @type {Record<string, string>} */
      const coded = gzip ? { 'content-encoding': 'gzip' } : {};
      if (tags === 'none' || store.list === undefined) return coded;
      if (tags === 'generation')
        return { ...coded, 'x-goog-generation': String(version), etag: `"not-for-conditions-${version}"` };
      return {
        ...coded,
        etag: { weak: `W/"${version}"`, strong: `"${version}"`, changed: `"${version}-gzip"`, unknown: `"${version}"` }[
          tags
        ],
      };
    };
    const holds = () => {
      const wanted = headers['x-goog-if-generation-match'] ?? headers['if-match'];
      if (headers['if-none-match'] === '*') return store.list === undefined;
      return wanted === undefined || wanted === (tags === 'generation' ? String(version) : `"${version}"`);
    };
    const fault = method === 'GET' || method === 'PUT' ? store.faults[method] : undefined;
    if (fault === 'hang') return;
    if (fault === 'slow') await sleep(1_000);
    if (fault === '404' || fault === '500') return answer(Number(fault));
    if (fault === 'malformed') return answer(200, '{"online":[');
    // With a tag of its own, as a page of a web server has it.
    if (fault === 'html') {
      const etag = '"a-page"';
      if (headers['if-none-match'] === etag) return res.writeHead(304, { etag }).end();
      return res.writeHead(200, { 'content-type': 'text/html', etag }).end('<html><body>Sign in</body></html>');
    }
    if (fault === 'half') {
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': 1_000 });
      res.write('{"online":[');
      return setTimeout(() => res.destroy(), 50);
    }
    if (fault === 'huge') {
      res.writeHead(200, { 'content-type': 'application/json' });
      // Whoever reads may have enough of it.
      return pipeline(Readable.from(Array.from({ length: HUGE }, () => PART)), res).catch(() => undefined);
    }
    if (method === 'GET') {
      if (store.list !== undefined && tags !== 'none' && headers['if-none-match'] === tag().etag) return answer(304);
      if (store.list === undefined) return answer(404);
      return answer(200, typeof store.list === 'string' ? store.list : JSON.stringify(store.list));
    }
    if (method !== 'PUT') return answer(405);
    if ((call.authorization ?? '') !== auth) return answer(401);
    if (call.body === undefined) return answer(400);
    const isConditional = headers['if-match'] !== undefined || headers['if-none-match'] !== undefined;
    if (tags === 'unknown' && isConditional) return answer(501);
    if (tags !== 'none' && !holds()) return answer(412);
    store.list = call.body;
    version += 1;
    answer(204);
  });
  await listen(server, /** @type {number} */ (at));
  scope.after(() => close(server));
  return store;
}

module.exports = { startStore };
