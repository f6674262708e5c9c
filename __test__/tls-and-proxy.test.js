'use strict';

// Gossip over HTTPS and through proxies: the engine follows the same environment variables as Node.

const assert = require('node:assert/strict');
const http = require('node:http');
const { writeFileSync } = require('node:fs');
const { describe, test } = require('node:test');

const { certificates, missing } = require('./support/certificates.js');
const { fileList, startServer } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { close, listen } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
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

  test('is not used for the hosts of NO_PROXY', async (t) => {
    const [peer, proxy] = await Promise.all([startFakePeer(t), startProxy(t)]);
    await startBeside(t, peer.baseUrl, { ...proxy.env, NODE_USE_ENV_PROXY: '1', NO_PROXY: '127.0.0.1' });
    await until(() => peer.received.length > 0, { what: 'the peer is reached' });
    assert.deepEqual(proxy.requested, []);
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
