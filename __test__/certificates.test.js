'use strict';

// Certificates between real processes: which ones of other servers are accepted.

const assert = require('node:assert/strict');
const { existsSync, readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { certificates, missing, selfSigned } = require('../harness/certificates.js');
const { fileList, startServer } = require('../harness/cluster.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { folder } = require('../harness/folder.js');
const { TOOLS } = require('../harness/registry.js');
const { until } = require('../harness/until.js');

/** @typedef {import('../harness/cluster.js').Scope} Scope */
/** @typedef {Awaited<ReturnType<typeof startFakePeer>>} Peer */

const [major = 0] = process.versions.node.split('.').map(Number);
const node24 = major >= 24 ? process.execPath : path.join(TOOLS, 'node24', 'bin', 'node');
const noNode24 =
  process.env.SHAZBOT_TEST_ALL !== '1' && !existsSync(node24) && 'Node 24 is not installed (.ci/run installs it)';

/**
 * Starts a server that finds one peer in its master list.
 *
 * @param {Scope} scope
 * @param {Peer} peer
 * @param {import('../harness/cluster.js').ServerOptions & { host?: string }} options `host` of the peer's URL
 */
function startBeside(scope, peer, { env, host = '127.0.0.1', ...options }) {
  const list = fileList();
  const baseUrl = peer.baseUrl.replace('127.0.0.1', host);
  writeFileSync(list.file, JSON.stringify({ online: [{ baseUrl }] }));
  return startServer(scope, { env: { ...list.env, ...env }, ...options });
}

/** @param {Peer} peer */
const untilReached = (peer) => until(() => peer.received.length > 0, { what: 'the peer is reached' });

/**
 * Waits for the warning of a certificate, which is given once for each peer.
 *
 * @param {Awaited<ReturnType<typeof startServer>>} server
 * @param {RegExp} reason
 */
async function untilWarned(server, reason) {
  const warnings = () => server.warnings.filter(({ code }) => code === 'SHAZBOT_CERTIFICATE');
  await until(() => warnings().length > 0, { what: `the warning ${reason}` });
  assert.match(String(warnings()[0]?.message), reason);
  // The next failure is only logged.
  await until(() => server.logs.some(({ code }) => code === 'EXCHANGE_FAILED'), { what: 'the log record' });
  assert.equal(warnings().length, 1);
}

describe('a certificate in NODE_EXTRA_CA_CERTS that a server has signed itself', { skip: missing }, () => {
  /** @type {{ kind: string, host?: string, certificate: Parameters<typeof selfSigned>[0], warning: RegExp }[]} */
  const accepted = [
    {
      kind: 'as openssl req -x509 makes it',
      certificate: { host: 'IP:127.0.0.1' },
      warning: /\(CA:TRUE\).*NODE_EXTRA_CA_CERTS/,
    },
    {
      kind: 'with only a common name',
      host: 'localhost',
      certificate: { name: 'localhost' },
      warning: /\(CA:TRUE\).*NODE_EXTRA_CA_CERTS/,
    },
    {
      kind: 'of X.509 version 1',
      host: 'localhost',
      certificate: { name: 'localhost', version: 1 },
      warning: /version 1 of X\.509.*NODE_EXTRA_CA_CERTS/,
    },
  ];
  for (const { kind, host, certificate, warning } of accepted) {
    test(`is accepted ${kind}, but not without the variable`, async (t) => {
      const { file, key, cert } = selfSigned(certificate);
      const peer = await startFakePeer(t, { tls: { key, cert } });
      await untilWarned(await startBeside(t, peer, { host }), warning);
      assert.equal(peer.received.length, 0);
      await startBeside(t, peer, { host, env: { NODE_EXTRA_CA_CERTS: file } });
      await untilReached(peer);
    });
  }

  /** @type {{ kind: string, host?: string, certificate: Parameters<typeof selfSigned>[0], warning: RegExp }[]} */
  const refused = [
    {
      kind: 'for another name',
      certificate: { host: 'DNS:localhost,IP:127.0.0.2' },
      warning: /certificate is for localhost, 127\.0\.0\.2, not for 127\.0\.0\.1 .*-addext subjectAltName/,
    },
    {
      kind: 'with a common name beside other names',
      host: 'localhost',
      certificate: { name: 'localhost', host: 'DNS:a' },
      warning: /certificate is for a, not for localhost/,
    },
    {
      kind: 'with another common name',
      host: 'localhost',
      certificate: { name: 'localhost.example' },
      warning: /no subjectAltName .*-addext subjectAltName/,
    },
    {
      kind: 'with an address as its common name',
      certificate: { name: '127.0.0.1' },
      warning: /no subjectAltName .*-addext subjectAltName/,
    },
    {
      kind: 'of version 1 for another name',
      host: 'localhost',
      certificate: { name: 'other', version: 1 },
      warning: /no subjectAltName .*-addext subjectAltName/,
    },
    {
      kind: 'that has expired',
      certificate: { host: 'IP:127.0.0.1', validity: [-7_200, -3_600] },
      warning: /has expired, since 20\d\d-\d\d-\d\d \d\d:\d\d UTC .*Renew/,
    },
    {
      kind: 'that is not valid yet',
      certificate: { host: 'IP:127.0.0.1', validity: [3_600, 7_200] },
      warning: /is not valid before 20.* UTC .*clock/,
    },
  ];
  for (const { kind, host, certificate, warning } of refused) {
    test(`is refused ${kind}, with a warning`, async (t) => {
      const { file, key, cert } = selfSigned(certificate);
      const peer = await startFakePeer(t, { tls: { key, cert } });
      const server = await startBeside(t, peer, { host, env: { NODE_EXTRA_CA_CERTS: file } });
      await untilWarned(server, warning);
      assert.equal(peer.received.length, 0);
    });
  }

  test('is accepted only with its own key', async (t) => {
    const [trusted, other] = [selfSigned({ host: 'IP:127.0.0.1' }), selfSigned({ host: 'IP:127.0.0.1' })];
    const peer = await startFakePeer(t, { tls: { key: other.key, cert: other.cert } });
    await untilWarned(await startBeside(t, peer, { env: { NODE_EXTRA_CA_CERTS: trusted.file } }), /certificate/);
    assert.equal(peer.received.length, 0);
  });
});

test('a certificate that expires while the server runs is refused from then on', { skip: missing }, async (t) => {
  const { file, key, cert } = selfSigned({ host: 'IP:127.0.0.1', validity: [-60, 12] });
  const peer = await startFakePeer(t, { tls: { key, cert } });
  const server = await startBeside(t, peer, { env: { NODE_EXTRA_CA_CERTS: file } });
  await untilReached(peer);
  await untilWarned(server, /has expired, since/);
});

describe('the certificate authorities that Node is told to trust', { skip: missing }, () => {
  /** @param {Scope} scope */
  async function startSecurePeer(scope) {
    const { authority, key, cert } = certificates();
    return Object.assign(await startFakePeer(scope, { tls: { key, cert } }), { authority });
  }

  test('are those of OpenSSL with --use-openssl-ca', async (t) => {
    const peer = await startSecurePeer(t);
    const env = { SSL_CERT_FILE: peer.authority, SSL_CERT_DIR: '/nowhere' };
    await untilWarned(
      await startBeside(t, peer, { env }),
      /issuer that this server does not trust .*NODE_EXTRA_CA_CERTS/,
    );
    assert.equal(peer.received.length, 0);
    await startBeside(t, peer, { env, runtime: [process.execPath, '--use-openssl-ca'] });
    await untilReached(peer);
    peer.received.length = 0;
    await startBeside(t, peer, { env: { ...env, NODE_OPTIONS: '--use-openssl-ca' } });
    await untilReached(peer);
  });

  test('are also those of NODE_EXTRA_CA_CERTS with --use-openssl-ca, without a warning', async (t) => {
    const peer = await startSecurePeer(t);
    const env = { SSL_CERT_FILE: '/nowhere', SSL_CERT_DIR: '/nowhere', NODE_EXTRA_CA_CERTS: peer.authority };
    const server = await startBeside(t, peer, { env, runtime: [process.execPath, '--use-openssl-ca'] });
    await untilReached(peer);
    assert.ok(!server.warnings.some(({ code }) => code === 'SHAZBOT_EXTRA_CERTS'));
  });

  test('cause a warning if --use-openssl-ca leads to none', async (t) => {
    const peer = await startSecurePeer(t);
    const env = { SSL_CERT_FILE: '/nowhere', SSL_CERT_DIR: '/nowhere' };
    const server = await startBeside(t, peer, { env, runtime: [process.execPath, '--use-openssl-ca'] });
    const isTold = () =>
      server.warnings.some((it) => it.code === 'SHAZBOT_EXTRA_CERTS' && /SSL_CERT_FILE/.test(it.message));
    await until(isTold, { what: 'the warning' });
  });

  test('are those of the system with --use-system-ca or NODE_USE_SYSTEM_CA=1', { skip: noNode24 }, async (t) => {
    const peer = await startSecurePeer(t);
    // The system's, on Linux.
    const env = { SSL_CERT_FILE: peer.authority, SSL_CERT_DIR: '/nowhere' };
    await untilWarned(await startBeside(t, peer, { env, runtime: [node24] }), /issuer/);
    assert.equal(peer.received.length, 0);
    await startBeside(t, peer, { env, runtime: [node24, '--use-system-ca'] });
    await untilReached(peer);
    peer.received.length = 0;
    await startBeside(t, peer, { env: { ...env, NODE_USE_SYSTEM_CA: '1' }, runtime: [node24] });
    await untilReached(peer);
  });

  test('are those of tls.setDefaultCACertificates', { skip: noNode24 }, async (t) => {
    const peer = await startSecurePeer(t);
    const program = path.join(folder(), 'set.js');
    const text = JSON.stringify(readFileSync(peer.authority, 'utf8'));
    writeFileSync(program, `require('node:tls').setDefaultCACertificates([${text}]);`);
    await startBeside(t, peer, { runtime: [node24, '--require', program] });
    await untilReached(peer);
  });
});
