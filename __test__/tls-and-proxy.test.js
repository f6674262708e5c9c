'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const https = require('node:https');
const { writeFileSync } = require('node:fs');
const { describe, test } = require('node:test');

const { certificates, missing } = require('./support/certificates.js');
const { fileList, startServer } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { close, listen, readBody } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { until } = require('../harness/until.js');

/** @typedef {import('../harness/cluster.js').Scope} Scope */

/**
 * A server of ours that finds one peer in its master list.
 * @param {Scope} scope
 * @param {string} peer
 * @param {Record<string, string>} [env]
 */
function startBeside(scope, peer, env) {
  const list = fileList();
  writeFileSync(list.file, JSON.stringify({ online: [{ baseUrl: peer }] }));
  return startServer(scope, { env: { ...list.env, ...env } });
}

/** @param {Awaited<ReturnType<typeof startServer>>} server */
async function failures(server) {
  return until(() => server.logs.find(({ code }) => code === 'EXCHANGE_FAILED')?.message, {
    what: 'an exchange fails',
  });
}

/**
 * A peer over https, with a certificate that an authority of the test has signed.
 * @param {Scope} scope
 */
async function startSecurePeer(scope) {
  const { authority, key, cert } = certificates();
  const [port] = await freePorts(1);
  const peer = { baseUrl: `https://127.0.0.1:${port}/`, authority, received: 0 };
  const server = https.createServer({ key, cert }, async (req, res) => {
    await readBody(req);
    peer.received += 1;
    res.end(JSON.stringify({ message: 'gossip', online: [], offline: [] }));
  });
  await listen(server, /** @type {number} */ (port));
  scope.after(() => close(server));
  return peer;
}

describe('https', { skip: missing }, () => {
  test('a peer whose certificate nobody known has signed is not spoken with', async (t) => {
    const peer = await startSecurePeer(t);
    const server = await startBeside(t, peer.baseUrl);
    assert.match(await failures(server), /certificate|UnknownIssuer/);
    assert.equal(peer.received, 0);
  });

  test('the authorities of NODE_EXTRA_CA_CERTS are trusted', async (t) => {
    const peer = await startSecurePeer(t);
    await startBeside(t, peer.baseUrl, { NODE_EXTRA_CA_CERTS: peer.authority });
    await until(() => peer.received > 0, { what: 'the peer is reached' });
  });

  test('a NODE_EXTRA_CA_CERTS that cannot be read is a warning', async (t) => {
    const peer = await startSecurePeer(t);
    const server = await startBeside(t, peer.baseUrl, { NODE_EXTRA_CA_CERTS: '/nowhere/ca.pem' });
    await until(() => server.warnings.some(({ code }) => code === 'SHAZBOT_EXTRA_CERTS'), { what: 'the warning' });
  });

  test('NODE_TLS_REJECT_UNAUTHORIZED=0 switches the checks off, with a warning', async (t) => {
    const peer = await startSecurePeer(t);
    const server = await startBeside(t, peer.baseUrl, { NODE_TLS_REJECT_UNAUTHORIZED: '0' });
    await until(() => peer.received > 0, { what: 'the peer is reached' });
    assert.ok(server.warnings.some(({ code }) => code === 'SHAZBOT_TLS_UNVERIFIED'));
  });
});

describe('a proxy', () => {
  /** @param {Scope} scope */
  async function startProxy(scope) {
    const [port] = await freePorts(1);
    const seen = /** @type {string[]} */ ([]);
    const proxy = http.createServer((req, res) => {
      seen.push(req.url ?? '');
      res.writeHead(502).end();
    });
    await listen(proxy, /** @type {number} */ (port));
    scope.after(() => close(proxy));
    return { seen, env: { HTTP_PROXY: `http://127.0.0.1:${port}` } };
  }

  test('is not used where Node would not use it', async (t) => {
    const [peer, proxy] = await Promise.all([startFakePeer(t), startProxy(t)]);
    await startBeside(t, peer.baseUrl, proxy.env);
    await until(() => peer.received.length > 0, { what: 'the peer is reached' });
    assert.deepEqual(proxy.seen, []);
  });

  test('is used with NODE_USE_ENV_PROXY=1', async (t) => {
    const [peer, proxy] = await Promise.all([startFakePeer(t), startProxy(t)]);
    await startBeside(t, peer.baseUrl, { ...proxy.env, NODE_USE_ENV_PROXY: '1' });
    await until(() => proxy.seen.includes(`${peer.baseUrl}clustershazbot/gossip`), { what: 'the proxy is asked' });
    assert.equal(peer.connections, 0);
  });

  test('is not used for the hosts of NO_PROXY', async (t) => {
    const [peer, proxy] = await Promise.all([startFakePeer(t), startProxy(t)]);
    await startBeside(t, peer.baseUrl, { ...proxy.env, NODE_USE_ENV_PROXY: '1', NO_PROXY: '127.0.0.1' });
    await until(() => peer.received.length > 0, { what: 'the peer is reached' });
    assert.deepEqual(proxy.seen, []);
  });
});

test('gossip follows no redirect: the secret stays with the peer that was meant', async (t) => {
  const elsewhere = await startFakePeer(t);
  const [port] = await freePorts(1);
  const peer = http.createServer((req, res) => {
    res.writeHead(307, { location: `${elsewhere.baseUrl.slice(0, -1)}${req.url}` }).end();
  });
  await listen(peer, /** @type {number} */ (port));
  t.after(() => close(peer));
  const server = await startBeside(t, `http://127.0.0.1:${port}/`);
  assert.match(await failures(server), /307/);
  await during(1_500, () => assert.equal(elsewhere.connections, 0));
});
