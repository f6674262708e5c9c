'use strict';

// Why a server is offline, since when, and who found it: in the status, its route, the events and the log records.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const http2 = require('node:http2');
const net = require('node:net');
const path = require('node:path');
const { before, after, describe, test } = require('node:test');
const { isDeepStrictEqual } = require('node:util');
const { gzipSync } = require('node:zlib');

const { certificates, missing, selfSigned } = require('../harness/certificates.js');
const {
  CONTROL_SECRET,
  SECRET,
  agree,
  fileList,
  startServer,
  startServers,
  untilGossiped,
} = require('../harness/cluster.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { entry, gossip, message } = require('../harness/gossip.js');
const { request } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { until } = require('../harness/until.js');
const { why } = require('../lib/why.js');

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */
/** @typedef {import('..').ShazbotStatus} Status */

/** @param {Server} server @returns {Promise<Status>} */
async function statusOf(server) {
  const { status, json } = await request(`${server.local}clustershazbot/status`, {
    headers: { authorization: CONTROL_SECRET },
  });
  assert.equal(status, 200);
  return /** @type {Status} */ (json);
}

/** @param {Status} status @param {string} url */
const memberOf = ({ members }, url) => members.find(({ baseUrl }) => baseUrl === url);

/**
 * Waits until one of these servers knows why another fails, by its own failed exchange, and returns what it knows.
 *
 * @param {Server[]} servers
 * @param {string} url
 * @param {RegExp} code
 */
function cause(servers, url, code) {
  const find = async () => {
    for (const server of servers) {
      const status = await statusOf(server);
      const member = memberOf(status, url);
      const error = member?.lastError;
      if (member && error && code.test(error.code)) return { member, error, status, server };
    }
    return undefined;
  };
  return until(find, { timeout: 30_000, what: `somebody knows that ${url} fails with ${code}` });
}

/**
 * A folder with the key of a server and a certificate that has expired.
 *
 * @param {ReturnType<typeof certificates>} valid
 */
function expired({ directory, authority }) {
  const at = (/** @type {string} */ name) => path.join(directory, name);
  const signed = ['-CA', authority, '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('extensions')];
  execFileSync('openssl', ['x509', '-req', '-in', at('request'), ...signed, '-out', at('cert.pem'), '-days', '-1'], {
    stdio: 'pipe',
  });
  return directory;
}

describe('servers that fail in different ways', { skip: missing }, () => {
  /** @type {Server[]} */
  let watchers;
  /** @type {Server} */
  let killed;
  /** @type {Server} */
  let stopped;
  /** @type {Server} */
  let outdated;
  /** @type {Server} */
  let prefixed;
  const nameless = 'http://no-such-host.invalid:3000/';
  /** @type {(() => any)[]} */
  const cleanups = [];
  const scope = { after: (/** @type {() => any} */ cleanup) => cleanups.push(cleanup) };

  before(async () => {
    const certificate = certificates();
    const folder = expired(certificate);
    const list = fileList();
    const env = { ...list.env, TEST_ROUTER: '1', NODE_EXTRA_CA_CERTS: certificate.authority };
    const five = await startServers(scope, 5, { env });
    [killed, stopped, ...watchers] = /** @type {[Server, Server, ...Server[]]} */ (five);
    await agree(five, { online: five });
    await untilGossiped(five);
    outdated = await startServer(scope, { env: { ...env, ...fileList().env, TEST_TLS: folder } });
    const [port = 0] = await freePorts(1);
    prefixed = await startServer(scope, { env, port, baseUrl: `http://127.0.0.1:${port}/api/` });
    const [first] = /** @type {[Server]} */ (watchers);
    await gossip(first.local, message([entry(nameless), entry(outdated.baseUrl)]));
    killed.signal('SIGKILL');
    stopped.signal('SIGSTOP');
  });
  after(() => Promise.all(cleanups.map((cleanup) => cleanup())));

  test('a server that was killed refuses connections', async () => {
    const { member, error, status } = await cause(watchers, killed.baseUrl, /^ECONNREFUSED$/);
    assert.match(error.message, /refused/);
    assert.ok(Math.abs(status.at - error.at) < 60_000, 'the time of the error is of the own clock');
    assert.match(why(member, status.baseUrl), /^connection refused/);
    // The server that declared it failed says so in its event, and in its log.
    const finder = await until(
      () => watchers.find(({ events }) => events.some((it) => it.baseUrl === killed.baseUrl && it.error)),
      { what: 'an event with an error' },
    );
    const event = finder.events.find((it) => it.baseUrl === killed.baseUrl && it.error);
    // An exchange that was under way was reset.
    assert.match(String(event?.error?.code), /^ECONN(REFUSED|RESET)$/);
    const isOfKilled = (/** @type {{ code: string, message: string }} */ { code, message }) =>
      code === 'MEMBER_SUSPECT' && message.startsWith(killed.baseUrl);
    const record = await until(() => finder.logs.find(isOfKilled)?.message, { what: 'a log record' });
    assert.match(record, /does not answer \((ECONNREFUSED|ECONNRESET|SHAZBOT_NO_ANSWER): /);
  });

  test('a server that is stopped accepts connections and does not answer', async () => {
    const { member, error } = await cause(watchers, stopped.baseUrl, /^SHAZBOT_NO_ANSWER$/);
    assert.match(error.message, /^connected, no answer in (1|0\.8) s$/);
    assert.match(why(member), /^stopped or blocked: connected, no answer in/);
    const events = () => watchers.flatMap((it) => it.events.filter(({ baseUrl }) => baseUrl === stopped.baseUrl));
    const found = await until(() => events().find((event) => event.error), { what: 'an event with an error' });
    assert.equal(found.error?.code, 'SHAZBOT_NO_ANSWER');
  });

  test('who found a failure and since when is known to all', async () => {
    const failed = (/** @type {Status} */ status) => {
      const member = memberOf(status, stopped.baseUrl);
      return member?.state === 'offline' ? member : undefined;
    };
    for (const watcher of watchers) {
      const member = await until(async () => failed(await statusOf(watcher)), {
        timeout: 30_000,
        what: 'the stopped server is offline',
      });
      assert.equal(member.reason, 'failed');
      assert.ok(
        [...watchers, prefixed].some(({ baseUrl }) => baseUrl === member.by),
        `${member.by} found it`,
      );
      assert.ok(Date.now() - member.changedAt < 60_000 && member.changedAt > member.since);
    }
  });

  test('a server with an expired certificate', async () => {
    const { member, error } = await cause(watchers, outdated.baseUrl, /^CERT_HAS_EXPIRED$/);
    assert.match(error.message, /^its certificate has expired/);
    assert.match(why(member), /^certificate expired/);
  });

  test('a server whose base URL lacks a prefix answers 404', async () => {
    const { member } = await cause(watchers, prefixed.baseUrl, /^HTTP_404$/);
    assert.match(why(member), /^HTTP 404: no gossip route at its base URL/);
  });

  test('a server whose name does not resolve', async () => {
    const { member } = await cause(watchers, nameless, /^(ENOTFOUND|EAI_AGAIN)$/);
    assert.match(why(member), /^its name (is not found in DNS|cannot be looked up)/);
  });

  test('the metrics count the servers that fail by the code', async () => {
    const [first] = /** @type {[Server]} */ (watchers);
    const causes = async () => {
      const codes = (await statusOf(first)).members.flatMap(({ lastError }) => lastError?.code ?? []);
      return Object.fromEntries(codes.map((code) => [code, codes.filter((other) => other === code).length]));
    };
    const [expected, counted] = await until(
      async () => {
        const [expected, counted] = [await causes(), await first.order('failing')];
        return Object.keys(expected).length > 1 && isDeepStrictEqual(expected, counted) && [expected, counted];
      },
      { what: 'the counts agree' },
    );
    assert.deepEqual(counted, expected);
  });
});

describe('what answers in the place of a server', { skip: missing }, () => {
  test('is named by the code and the words of the last failed exchange', async (t) => {
    const trusted = certificates();
    const ownAuthority = selfSigned({ host: 'IP:127.0.0.1' });
    const wrongName = { ...trusted, ...signedFor(trusted, 'DNS:other.example.com') };
    const answers = /** @type {[code: string, words: RegExp, answer: import('../harness/fake-peer.js').Answer][]} */ ([
      ['HTTP_301', /a redirect to https:\/\/elsewhere\//, redirect],
      ['HTTP_401', /Unauthorized$/, { status: 401, body: { statusCode: 401, message: 'Unauthorized' } }],
      [
        'SHAZBOT_UNAUTHORIZED',
        /SHAZBOT_SECRET/,
        { status: 401, body: { error: 'Unauthorized: Invalid SHAZBOT_SECRET' } },
      ],
      ['HTTP_403', /403 Forbidden/, { status: 403, body: 'no' }],
      ['HTTP_429', /429/, { status: 429, body: { error: 'slow down' } }],
      ['HTTP_502', /502/, { status: 502, body: '<html>' }],
      ['HTTP_418', /418/, { status: 418, body: { error: 'x', code: 'A_CODE_OF_ANOTHER' } }],
      [
        'SHAZBOT_NOT_STARTED',
        /not started/,
        { status: 503, body: { error: 'not started', code: 'SHAZBOT_NOT_STARTED' } },
      ],
      [
        'HTTP_500',
        /^it answered 500 Internal Server Error: I know \*\*\*$/,
        { status: 500, body: { error: `I know ${SECRET}` } },
      ],
      ['SHAZBOT_INVALID_ANSWER', /HTML page/, { body: '\n<!doctype html>' }],
      ['SHAZBOT_INVALID_ANSWER', /compressed \(gzip\)/, compressed],
      ['ECONNRESET', /./, 'reset'],
      ['SHAZBOT_NO_ANSWER', /^connected, no answer in/, 'hang'],
    ]);
    /** @type {[code: string, words: RegExp, url: string][]} */
    const cases = [];
    for (const [code, words, answer] of answers) {
      cases.push([code, words, (await startFakePeer(t, { answer: () => answer })).baseUrl]);
    }
    const plain = await startFakePeer(t);
    cases.push(
      [
        'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
        /issuer that this server does not trust/,
        (await startFakePeer(t, { tls: certificates('IP:127.0.0.1', 'other') })).baseUrl,
      ],
      [
        'ERR_TLS_CERT_ALTNAME_INVALID',
        /^its certificate is for .*, not for 127/,
        (await startFakePeer(t, { tls: wrongName })).baseUrl,
      ],
      ['DEPTH_ZERO_SELF_SIGNED_CERT', /CA:TRUE/, (await startFakePeer(t, { tls: ownAuthority })).baseUrl],
      [
        'ERR_TLS_CERT_ALTNAME_INVALID',
        /no subjectAltName/,
        (await startFakePeer(t, { tls: authorityOf(trusted) })).baseUrl,
      ],
      ['EPROTO', /TLS handshake failed/, plain.baseUrl.replace('http:', 'https:')],
      ['SHAZBOT_HTTP2_ONLY', /HTTP\/2 only/, await listening(t, http2.createSecureServer({ ...trusted }), 'https')],
      ['HPE_INVALID_CONSTANT', /HTTP\/1\.1/, await listening(t, net.createServer(greet), 'http')],
    );
    const env = { ...fileList().env, TEST_ROUTER: '1', NODE_EXTRA_CA_CERTS: trusted.authority };
    const server = await startServer(t, { env: { ...env, SHAZBOT_GOSSIP_INTERVAL: '0.1' } });
    await gossip(server.local, message(cases.map(([, , url]) => entry(url))));
    for (const [code, words, url] of cases) {
      const find = async () => memberOf(await statusOf(server), url)?.lastError;
      const error = await until(find, { timeout: 30_000, what: `an exchange with ${url} fails, for ${code}` });
      assert.equal(error.code, code, error.message);
      assert.match(error.message, words);
      assert.ok(error.message.length <= 200);
    }
  });
});

/** @param {import('node:http').ServerResponse} res */
const redirect = (res) => res.writeHead(301, { location: 'https://elsewhere/' }).end();

/** @param {import('node:http').ServerResponse} res */
const compressed = (res) => res.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{}'));

/** @param {net.Socket} socket */
function greet(socket) {
  socket.on('error', () => {});
  socket.end('220 mail.example.com ESMTP\r\n');
}

/**
 * @param {import('../harness/cluster.js').Scope} scope
 * @param {net.Server | http2.Http2SecureServer} server
 * @param {string} scheme
 */
async function listening(scope, server, scheme) {
  const [port = 0] = await freePorts(1);
  await new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(undefined)));
  scope.after(() => server.close());
  return `${scheme}://127.0.0.1:${port}/`;
}

/**
 * The key of a server, and a certificate for another host that the same authority has signed.
 *
 * @param {ReturnType<typeof certificates>} pair
 * @param {string} host
 */
function signedFor({ directory, authority, key }, host) {
  const at = (/** @type {string} */ name) => path.join(directory, name);
  writeFileSync(at('other'), `subjectAltName=${host}\nbasicConstraints=CA:false\n`);
  const signed = ['-CA', authority, '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('other'), '-days', '2'];
  execFileSync('openssl', ['x509', '-req', '-in', at('request'), ...signed, '-out', at('other.pem')], {
    stdio: 'pipe',
  });
  return { key, cert: readFileSync(at('other.pem')) };
}

/**
 * The certificate of the authority itself, as `openssl req -x509` makes it, for a server.
 *
 * @param {ReturnType<typeof certificates>} pair
 */
function authorityOf({ directory, authority }) {
  return { key: readFileSync(path.join(directory, 'ca.key')), cert: readFileSync(authority) };
}

describe('the time for which a server has been in its state', () => {
  test('begins anew when it leaves, although it stamps its leave ahead of its clock', async (t) => {
    const servers = await startServers(t, 3, {
      env: { ...fileList().env, TEST_ROUTER: '1', SHAZBOT_GOSSIP_INTERVAL: '1' },
    });
    const [leaving, ...others] = /** @type {[Server, ...Server[]]} */ (servers);
    await agree(servers, { online: servers });
    const [other] = /** @type {[Server]} */ (others);
    const age = async () => {
      const status = await statusOf(other);
      const member = memberOf(status, leaving.baseUrl);
      assert.ok(member);
      return { ...member, at: status.at, age: status.at - member.changedAt };
    };
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    assert.ok((await age()).age >= 3_000, 'it has been online for a while');
    const since = Date.now();
    await leaving.terminate();
    await agree(others, { online: others, offline: [leaving] });
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const left = await age();
    const elapsed = Date.now() - since;
    assert.ok(left.lastUpdate > left.at, 'the stamp is ahead, so it must not be shown as an age');
    assert.ok(left.age >= 3_000 - 100 && left.age <= elapsed, `${left.age} ms of ${elapsed}`);
    assert.equal(why(left), 'it was shut down');
    assert.ok(left.since < left.changedAt);
  });

  test('a server that starts gets no events for servers that were offline before', async (t) => {
    const servers = await startServers(t, 3, { env: { ...fileList().env, TEST_ROUTER: '1' } });
    const [gone, restarted, third] = /** @type {[Server, Server, Server]} */ (servers);
    await agree(servers, { online: servers });
    await untilGossiped(servers);
    await gone.kill();
    await agree([restarted, third], { online: [restarted, third], offline: [gone] });
    await restarted.terminate();
    await restarted.restart();
    await agree([restarted, third], { online: [restarted, third], offline: [gone] });
    assert.deepEqual(
      restarted.events.filter(({ baseUrl }) => baseUrl === gone.baseUrl),
      [],
    );
    assert.ok(!restarted.logs.some(({ code }) => code === 'MEMBER_OFFLINE'));
    await gone.restart();
    await until(() => restarted.events.some(({ baseUrl, type }) => baseUrl === gone.baseUrl && type === 'online'), {
      what: 'it comes online',
    });
  });
});

describe('the words for a cause', () => {
  const error = (/** @type {string} */ code, message = 'the words of the engine') => ({ code, message, at: 1 });
  const base = { reason: /** @type {const} */ ('failed'), by: 'http://b/' };

  test('say what happened and who found it', () => {
    const refused = error('ECONNREFUSED');
    assert.equal(why({ state: 'online' }), '');
    assert.equal(why({ state: 'online', lastError: refused }), 'connection refused');
    assert.equal(why({ state: 'suspect', lastError: refused }), 'connection refused');
    assert.equal(why({ state: 'suspect' }), 'it does not answer');
    assert.equal(why({ ...base, state: 'offline', lastError: refused }), 'connection refused; reported by http://b/');
    assert.equal(why({ ...base, state: 'offline', lastError: refused }, 'http://b/'), 'connection refused');
    assert.equal(why({ ...base, state: 'offline' }), 'reported by http://b/');
    assert.equal(why({ state: 'offline', reason: 'left', lastError: refused }), 'it was shut down');
    assert.equal(why({ state: 'offline' }), 'unknown reason');
  });

  test('of a code that is not known are those of the engine, as are those of a proxy', () => {
    const words = (/** @type {ReturnType<typeof error>} */ lastError) => why({ state: 'suspect', lastError });
    assert.equal(words(error('constructor')), 'the words of the engine');
    assert.equal(words(error('HTTP_308')), 'HTTP 308: a redirect in front of the gossip route');
    assert.equal(words(error('HTTP_502')), 'HTTP 502: a proxy answers, its program does not');
    assert.match(words(error('ECONNREFUSED', 'through the proxy http://p: refused')), /^through the proxy http:\/\/p/);
  });

  test('are in the documents for every code', () => {
    const source = readFileSync(path.join(__dirname, '..', 'lib', 'why.js'), 'utf8');
    const document = readFileSync(path.join(__dirname, '..', 'docs', 'errors.md'), 'utf8');
    for (const [, code] of source.matchAll(/^ {2}([A-Z0-9_]+): '/gm)) {
      assert.ok(code && document.includes(`\`${code}\``), `${code} is missing`);
    }
  });
});
