'use strict';

// The HTTP servers, fronts and orders of closing in docs/http.md: which work, and what the others see of those that do not.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { readFileSync } = require('node:fs');
const http2 = require('node:http2');
const { before, describe, test } = require('node:test');
const path = require('node:path');

const { certificates, missing } = require('../harness/certificates.js');
const { environment, fileList } = require('../harness/cluster.js');
const { folder } = require('../harness/folder.js');
const { freePorts } = require('../harness/ports.js');
const { start } = require('../harness/program.js');
const { until } = require('../harness/until.js');
const { during } = require('./support/during.js');

const PROGRAM = path.join(__dirname, 'support', 'http-server.js');
/** Several rounds, each with a new connection if the server does not keep them. */
const WATCHED_MS = 2_000;

/**
 * @typedef {object} Options
 * @property {string} [scheme]
 * @property {string} [path] of the base URL
 * @property {string} [end] what it does on SIGTERM
 * @property {Record<string, string>} [env]
 */

/**
 * Starts two of these servers.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} kind
 * @param {Options} [options]
 */
async function startTwo(t, kind, { scheme = 'http', path: prefix = '', end = '', env } = {}) {
  const list = fileList();
  const ports = await freePorts(2);
  const servers = ports.map((port) => {
    const baseUrl = `${scheme}://127.0.0.1:${port}/${prefix}`;
    const program = start(folder(), process.execPath, [PROGRAM], {
      PATH: process.env.PATH,
      ...environment(baseUrl),
      ...list.env,
      NODE_DEBUG: 'clustershazbot',
      TEST_SERVER: kind,
      TEST_END: end,
      TEST_PORT: String(port),
      TEST_PAIR: list.directory,
      ...env,
    });
    t.after(() => program.child.kill('SIGKILL'));
    return {
      baseUrl,
      program,
      state: () =>
        JSON.parse(
          program.output
            .match(/^state .*$/gm)
            ?.at(-1)
            ?.slice(6) ?? '{}',
        ),
    };
  });
  return /** @type {[typeof servers[0], typeof servers[0]]} */ (servers);
}
/** @typedef {Awaited<ReturnType<typeof startTwo>>} Servers */

/** @param {Servers} servers */
const outputs = (servers) => servers.map(({ program }) => program.output).join('\n');

/** @param {Servers} servers */
async function find(servers) {
  const online = servers.map(({ baseUrl }) => baseUrl).sort();
  const isFound = () => servers.every((it) => String(it.state().online) === String(online));
  await until(isFound, { timeout: 25_000, what: 'both list both' }).catch((error) => {
    throw new Error(outputs(servers), { cause: error });
  });
  return online;
}

/** @type {[what: string, kind: string, options?: Options][]} */
const WORK = [
  ["Node's HTTP/1.1 server", 'HTTP/1.1'],
  ['an HTTP/2 server with allowHTTP1', 'allowHTTP1', { scheme: 'https' }],
  ['a server that demands client certificates', 'client certificates', { scheme: 'https' }],
  ['maxRequestsPerSocket = 1', 'maxRequestsPerSocket = 1'],
  ['keepAliveTimeout = 0', 'keepAliveTimeout = 0'],
  ['keepAliveTimeout = 1', 'keepAliveTimeout = 1'],
  ['a server that closes the connection after each answer', 'Connection: close'],
  ['maxHeaderSize = 512', 'maxHeaderSize = 512'],
  ['maxHeaderSize = 512 and signed messages', 'maxHeaderSize = 512', { env: { SHAZBOT_AUTH: 'signed' } }],
  ['a Unix socket behind a forwarder', 'a unix socket'],
  ['a TLS terminator in front', 'a TLS terminator', { scheme: 'https' }],
  ['a middleware that compresses where the client accepts it', 'compression that the client accepts'],
  ['a proxy that removes a path prefix', 'a proxy that removes a prefix', { path: 'app/' }],
  ['a proxy that keeps a path prefix', 'a proxy that keeps a prefix', { path: 'app/' }],
];

/** @type {[what: string, kind: string, code: string, warning: RegExp, options?: Options][]} */
const FAIL = [
  [
    'an HTTP/2 server without TLS',
    'HTTP/2 in clear',
    'HPE_INVALID_CONSTANT',
    /HTTP\/2 only \(Node: http2.createServer\)/,
  ],
  ['an HTTP/2 server without allowHTTP1', 'HTTP/2 over TLS', 'SHAZBOT_HTTP2_ONLY', /allowHTTP1/, { scheme: 'https' }],
  [
    'client certificates that servers do not have',
    'client certificates',
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    /SHAZBOT_TLS_CERT/,
    { scheme: 'https', env: { SHAZBOT_TLS_CERT: '', SHAZBOT_TLS_KEY: '' } },
  ],
  ['maxHeaderSize = 128', 'maxHeaderSize = 128', 'HTTP_431', /maxHeaderSize/],
  ['a middleware that compresses everything', 'compression of everything', 'SHAZBOT_INVALID_ANSWER', /compress/],
  [
    'a proxy that keeps a path prefix which the program does not expect',
    'a proxy that keeps a prefix, which the program does not expect',
    'HTTP_404',
    /404/,
    { path: 'app/' },
  ],
  ['a base URL without the path prefix of the proxy', 'a proxy that removes a prefix', 'HTTP_404', /404/],
];

describe('servers', { concurrency: 3 }, () => {
  /** @type {ReturnType<typeof certificates>} */
  let pair;
  before(() => {
    if (!missing) pair = certificates();
  });

  /** @param {Options} [options] */
  function withCertificates({ scheme, env, ...options } = {}) {
    if (scheme !== 'https') return { ...options, ...(env && { env }) };
    const at = (/** @type {string} */ name) => path.join(pair.directory, name);
    const own = { NODE_EXTRA_CA_CERTS: at('ca.pem'), SHAZBOT_TLS_CERT: at('cert.pem'), SHAZBOT_TLS_KEY: at('key.pem') };
    return { ...options, scheme, env: { TEST_PAIR: pair.directory, ...own, ...env } };
  }

  for (const [what, kind, options] of WORK) {
    test(`find each other and stay online: ${what}`, { skip: options?.scheme === 'https' && missing }, async (t) => {
      const servers = await startTwo(t, kind, withCertificates(options));
      const online = await find(servers);
      await during(WATCHED_MS, () => {
        for (const { state } of servers) {
          const { watches: _, ...lists } = state();
          assert.deepEqual(lists, { online, suspect: [], offline: [], errors: [], reasons: [] }, outputs(servers));
        }
      });
      assert.doesNotMatch(outputs(servers), /Warning/);
    });
  }

  test('answer clients that speak HTTP/2, such as browsers, on an HTTP/2 server with allowHTTP1', {
    skip: missing,
  }, async (t) => {
    const servers = await startTwo(t, 'allowHTTP1', withCertificates({ scheme: 'https' }));
    await find(servers);
    const client = http2.connect(servers[0].baseUrl, { ca: readFileSync(pair.authority) });
    t.after(() => client.destroy());
    for (const route of ['', 'list', 'nothing']) {
      const [headers] = await once(client.request({ ':path': `/clustershazbot/${route}` }), 'response');
      assert.equal(headers[':status'], route === 'nothing' ? 404 : 200);
    }
  });

  for (const [what, kind, code, warning, options] of FAIL) {
    test(`say why others cannot reach them: ${what}`, { skip: options?.scheme === 'https' && missing }, async (t) => {
      const servers = await startTwo(t, kind, withCertificates(options));
      for (const { program } of servers) {
        const text = await until(() => program.output.match(/\[SHAZBOT_SELF_PROBE\].*/)?.[0], {
          timeout: 25_000,
          what: 'a warning',
        });
        assert.match(text, warning);
        assert.ok(text.includes(code), text);
      }
    });
  }
});

describe('a server that ends is listed as left, and its process ends within 3 s, if it', { concurrency: 3 }, () => {
  for (const end of [
    'leaves, then closes',
    'leaves, and closes meanwhile',
    'leaves, then closes all connections',
    'closes, and leaves at once',
    'closes, and leaves when it has closed',
    'closes all connections, then leaves',
    'only closes',
  ]) {
    test(end, async (t) => {
      // With a short interval the other may try to reach it between its close and its leave, and take it for failed.
      const servers = await startTwo(t, 'HTTP/1.1', { end, env: { SHAZBOT_GOSSIP_INTERVAL: '30' } });
      await find(servers);
      const [other, ending] = servers;
      // The other watches it by a connection on which it sends nothing: `close` alone would wait for that.
      await until(() => other.state().watches > 0, { what: 'the other watches it' });
      const since = performance.now();
      ending.program.child.kill('SIGTERM');
      assert.equal(await ending.program.exit, 0);
      const ms = performance.now() - since;
      assert.ok(ms < 3_000, `${ms} ms`);
      await until(() => other.state().reasons[0], { timeout: 5_000, what: 'it is listed offline' });
      assert.deepEqual(other.state().reasons, ['left'], outputs(servers));
    });
  }
});
