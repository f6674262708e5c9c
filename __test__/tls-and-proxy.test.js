'use strict';

// Gossip over HTTPS and through proxies: the engine follows the same environment variables as Node.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const http = require('node:http');
const { existsSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { certificates, missing } = require('../harness/certificates.js');
const { fileList, startServer } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { close, listen } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { TOOLS } = require('../harness/registry.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/** @typedef {import('../harness/cluster.js').Scope} Scope */

/**
 * Starts a server that finds one peer in its master list.
 *
 * @param {Scope} scope
 * @param {string} peer
 * @param {Record<string, string>} [env]
 */
function startBeside(scope, peer, env) {
  const list = fileList();
  writeFileSync(list.file, JSON.stringify({ online: [{ baseUrl: peer }] }));
  return startServer(scope, { env: { ...list.env, ...env } });
}

/**
 * Waits until an exchange of the server fails, and returns the reason.
 *
 * @param {Awaited<ReturnType<typeof startServer>>} server
 */
async function firstFailure(server) {
  return until(() => server.logs.find(({ code }) => code === 'EXCHANGE_FAILED')?.message, {
    what: 'an exchange fails',
  });
}

/**
 * Starts a peer over HTTPS, with a certificate that a certificate authority of the test has signed.
 *
 * @param {Scope} scope
 */
async function startSecurePeer(scope) {
  const { authority, key, cert } = certificates();
  return Object.assign(await startFakePeer(scope, { tls: { key, cert } }), { authority });
}

describe('over HTTPS', { skip: missing }, () => {
  test('nothing is sent to a peer whose certificate authority is unknown', async (t) => {
    const peer = await startSecurePeer(t);
    const server = await startBeside(t, peer.baseUrl);
    assert.match(await firstFailure(server), /certificate|UnknownIssuer/);
    assert.deepEqual(peer.received, []);
  });

  test('the certificate authorities of NODE_EXTRA_CA_CERTS are trusted', async (t) => {
    const peer = await startSecurePeer(t);
    await startBeside(t, peer.baseUrl, { NODE_EXTRA_CA_CERTS: peer.authority });
    await until(() => peer.received.length > 0, { what: 'the peer is reached' });
  });

  test('a peer that does not answer is diagnosed without a TLS error in its program', async (t) => {
    const peer = await startSecurePeer(t);
    peer.answer = () => 'hang';
    const env = { NODE_EXTRA_CA_CERTS: peer.authority, SHAZBOT_GOSSIP_INTERVAL: '1' };
    const server = await startBeside(t, peer.baseUrl, env);
    assert.match(String(await firstFailure(server)), /SHAZBOT_NO_ANSWER/);
    await during(500, () => assert.deepEqual(peer.tlsErrors, []));
  });

  test('an unreadable file in NODE_EXTRA_CA_CERTS causes a warning', async (t) => {
    const peer = await startSecurePeer(t);
    const server = await startBeside(t, peer.baseUrl, { NODE_EXTRA_CA_CERTS: '/nowhere/ca.pem' });
    await until(() => server.warnings.some(({ code }) => code === 'SHAZBOT_EXTRA_CERTS'), { what: 'the warning' });
  });

  test('NODE_TLS_REJECT_UNAUTHORIZED=0 turns off certificate checks, with a warning', async (t) => {
    const peer = await startSecurePeer(t);
    const server = await startBeside(t, peer.baseUrl, { NODE_TLS_REJECT_UNAUTHORIZED: '0' });
    await until(() => peer.received.length > 0, { what: 'the peer is reached' });
    assert.ok(server.warnings.some(({ code }) => code === 'SHAZBOT_TLS_UNVERIFIED'));
  });
});

describe('a proxy', () => {
  /**
   * Starts a proxy that answers 502 and notes the requested URLs.
   *
   * @param {Scope} scope
   */
  async function startProxy(scope) {
    const [port] = await freePorts(1);
    const requested = /** @type {string[]} */ ([]);
    const proxy = http.createServer((req, res) => {
      requested.push(req.url ?? '');
      res.writeHead(502).end();
    });
    await listen(proxy, /** @type {number} */ (port));
    scope.after(() => close(proxy));
    return { requested, env: { HTTP_PROXY: `http://127.0.0.1:${port}` } };
  }

  test('is not used unless NODE_USE_ENV_PROXY is set, as in Node', async (t) => {
    const [peer, proxy] = await Promise.all([startFakePeer(t), startProxy(t)]);
    await startBeside(t, peer.baseUrl, proxy.env);
    await until(() => peer.received.length > 0, { what: 'the peer is reached' });
    assert.deepEqual(proxy.requested, []);
  });

  test('is used with NODE_USE_ENV_PROXY=1', async (t) => {
    const [peer, proxy] = await Promise.all([startFakePeer(t), startProxy(t)]);
    await startBeside(t, peer.baseUrl, { ...proxy.env, NODE_USE_ENV_PROXY: '1' });
    await until(() => proxy.requested.includes(`${peer.baseUrl}clustershazbot/gossip`), {
      what: 'the proxy gets the request',
    });
    assert.equal(peer.connections, 0);
  });

  for (const list of ['127.0.0.1', '*', 'PEER', '127.0.0.0-127.0.0.9', 'other *.0.0.1']) {
    test(`is not used for the hosts of NO_PROXY=${list}`, async (t) => {
      const [peer, proxy] = await Promise.all([startFakePeer(t), startProxy(t)]);
      const NO_PROXY = list.replace('PEER', new URL(peer.baseUrl).host);
      await startBeside(t, peer.baseUrl, { ...proxy.env, NODE_USE_ENV_PROXY: '1', NO_PROXY });
      await until(() => peer.received.length > 0, { what: 'the peer is reached' });
      assert.deepEqual(proxy.requested, []);
    });
  }

  for (const list of ['127.0.0.0/8', '127.0.0.1:1', '127.0.0.2-127.0.0.9', '127.0.*']) {
    test(`is used although NO_PROXY=${list}, as in Node`, async (t) => {
      const [peer, proxy] = await Promise.all([startFakePeer(t), startProxy(t)]);
      await startBeside(t, peer.baseUrl, { ...proxy.env, NODE_USE_ENV_PROXY: '1', NO_PROXY: list });
      await until(() => proxy.requested.length > 0, { what: 'the proxy gets the request' });
      assert.equal(peer.connections, 0);
    });
  }

  /** @type {[string, string, RegExp][]} The URL of a proxy, as it is named, and why it fails. */
  const broken = [
    ['http://127.0.0.1:1', 'http://127.0.0.1:1', /refused/],
    ['http://me:hunter2-hunter2@127.0.0.1:1', 'http://127.0.0.1:1', /refused/],
    ['http://proxy.invalid:3128', 'http://proxy.invalid:3128', /lookup|name|resolve/],
  ];
  for (const [url, name, reason] of broken) {
    test(`that does not work is named in errors of the master list and of peers: ${url}`, async (t) => {
      const store = await startStore(t);
      const env = { NODE_USE_ENV_PROXY: '1', http_proxy: url };
      const ofList = await startServer(t, { env: { ...store.env, ...env } });
      const failed = () => ofList.logs.find(({ code }) => code === 'LIST_FAILED')?.message;
      const listError = await until(failed, { what: 'reading the list fails' });
      const peer = await startFakePeer(t);
      const peerError = await firstFailure(await startBeside(t, peer.baseUrl, env));
      for (const text of [listError, peerError]) {
        assert.ok(text.includes(`through the proxy ${name} of http_proxy: `), text);
        assert.match(text, reason);
        assert.ok(!text.includes('hunter2'), text);
      }
    });
  }

  test('that answers an error in the name of the store is named', async (t) => {
    const [store, proxy] = await Promise.all([startStore(t), startProxy(t)]);
    const server = await startServer(t, { env: { ...store.env, ...proxy.env, NODE_USE_ENV_PROXY: '1' } });
    const failed = () => server.logs.find(({ code }) => code === 'LIST_FAILED')?.message;
    const text = await until(failed, { what: 'reading the list fails' });
    assert.ok(text.includes(`through the proxy ${proxy.env.HTTP_PROXY} of HTTP_PROXY: the store answered 502`), text);
  });
});

const [major = 0] = process.versions.node.split('.').map(Number);
const node24 = major >= 24 ? process.execPath : path.join(TOOLS, 'node24', 'bin', 'node');
const noNode24 =
  process.env.SHAZBOT_TEST_ALL !== '1' && !existsSync(node24) && 'Node 24 is not installed (.ci/run installs it)';

test('the table of NO_PROXY says what Node itself does', { skip: noNode24 }, () => {
  /** @type {{ list: string, url: string, direct: boolean }[]} */
  const cases = require('./support/no-proxy.json');
  const proxy = 'http://the-proxy:1';
  const { stdout, stderr } = spawnSync(node24, [path.join(__dirname, 'support', 'env-proxy.js')], {
    input: JSON.stringify(cases),
    env: { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy, HTTPS_PROXY: proxy },
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  /** @type {{ request: boolean, fetch: boolean }[]} */
  const answers = JSON.parse(stdout);
  assert.equal(answers.length, cases.length);
  cases.forEach(({ list, url, direct }, index) => {
    const { request, fetch } = answers[index] ?? {};
    // They differ. What one of them sends directly, the engine does.
    assert.equal(direct, request || fetch, `NO_PROXY=${JSON.stringify(list)} ${url}`);
  });
});

test('gossip follows no redirect, so that only the listed peer gets the secret', async (t) => {
  const elsewhere = await startFakePeer(t);
  const [port] = await freePorts(1);
  const peer = http.createServer((req, res) => {
    res.writeHead(307, { location: `${elsewhere.baseUrl.slice(0, -1)}${req.url}` }).end();
  });
  await listen(peer, /** @type {number} */ (port));
  t.after(() => close(peer));
  const server = await startBeside(t, `http://127.0.0.1:${port}/`);
  assert.match(await firstFailure(server), /307/);
  await during(1_500, () => assert.equal(elsewhere.connections, 0));
});
