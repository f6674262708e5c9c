'use strict';

// Certificates between real processes: which ones of other servers are accepted, and the own one for servers that demand it.

const assert = require('node:assert/strict');
const { X509Certificate } = require('node:crypto');
const { existsSync, readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { certificates, missing, selfSigned } = require('../harness/certificates.js');
const { agree, fileList, startServer, startServers } = require('../harness/cluster.js');
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
  test('cannot sign the certificate of another server unless it is an authority', async (t) => {
    for (const constraints of ['CA:true', 'CA:false']) {
      const { authority, key, cert } = certificates('IP:127.0.0.1', 'another server', constraints);
      const peer = await startFakePeer(t, { tls: { key, cert } });
      const server = await startBeside(t, peer, { env: { NODE_EXTRA_CA_CERTS: authority } });
      if (constraints === 'CA:true') {
        await untilReached(peer);
      } else {
        await untilWarned(server, /certificate/);
        assert.equal(peer.received.length, 0);
      }
    }
  });

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

describe('SHAZBOT_TLS_CERT and SHAZBOT_TLS_KEY', { skip: missing }, () => {
  /** @param {string} file */
  const fingerprint = (file) => new X509Certificate(readFileSync(file)).fingerprint256;

  /** A peer that demands a certificate, and those for it. @param {Scope} scope */
  async function startStrictPeer(scope) {
    const { directory, authority, key, cert } = certificates();
    const tls = { key, cert, requestCert: true, rejectUnauthorized: true, ca: readFileSync(authority) };
    const [SHAZBOT_TLS_CERT, SHAZBOT_TLS_KEY] = ['cert.pem', 'key.pem'].map((name) => path.join(directory, name));
    const env = { SHAZBOT_TLS_CERT: String(SHAZBOT_TLS_CERT), SHAZBOT_TLS_KEY: String(SHAZBOT_TLS_KEY) };
    return { peer: await startFakePeer(scope, { tls }), trust: { NODE_EXTRA_CA_CERTS: authority }, env, tls };
  }

  test('are shown to servers that demand a certificate, from files or as text', async (t) => {
    const { peer, trust, env } = await startStrictPeer(t);
    await untilWarned(await startBeside(t, peer, { env: trust }), /demands a client certificate.*SHAZBOT_TLS_CERT/);
    assert.equal(peer.received.length, 0);
    await startBeside(t, peer, { env: { ...trust, ...env } });
    await untilReached(peer);
    assert.equal(peer.received[0]?.certificate, fingerprint(env.SHAZBOT_TLS_CERT));
    peer.received.length = 0;
    const texts = Object.entries(env).map(([name, file]) => [name, readFileSync(file, 'utf8')]);
    await startBeside(t, peer, { env: { ...trust, ...Object.fromEntries(texts) } });
    await untilReached(peer);
  });

  test('make a cluster of servers that demand certificates of each other, with watches', async (t) => {
    const { directory, authority } = certificates();
    const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(directory, name));
    const tls = { TEST_TLS: directory, TEST_TLS_CLIENTS: authority, NODE_EXTRA_CA_CERTS: authority };
    const env = { ...fileList().env, ...tls, SHAZBOT_TLS_CERT: String(cert), SHAZBOT_TLS_KEY: String(key) };
    const servers = await startServers(t, 3, { env: { ...env, TEST_CLIENT_ERRORS: 'yes' } });
    await agree(servers, { online: servers });
    for (const server of servers) {
      const watches = async () => (await server.order('call', 'shazbotStatus')).exchanges.watches.open;
      await until(async () => (await watches()) === 2, { what: `${server.baseUrl} watches the others` });
    }
    for (const server of servers) assert.deepEqual(await server.order('clientErrors'), []);
  });

  test('are read again when the files change, and a pair that does not fit changes nothing', async (t) => {
    const { peer, trust, env, tls } = await startStrictPeer(t);
    const { SHAZBOT_TLS_CERT: cert, SHAZBOT_TLS_KEY: key } = env;
    const server = await startBeside(t, peer, { env: { ...trust, ...env } });
    await untilReached(peer);
    const before = fingerprint(cert);
    const next = selfSigned({ host: 'IP:127.0.0.1' });
    writeFileSync(cert, next.cert);
    const told = () => server.warnings.find(({ code }) => code === 'SHAZBOT_CLIENT_CERTIFICATE')?.message;
    assert.match(await until(told, { what: 'the warning' }), /SHAZBOT_TLS_KEY.*not the key/);
    peer.received.length = 0;
    await untilReached(peer);
    assert.equal(peer.received[0]?.certificate, before);
    // The peer would refuse it otherwise.
    peer.setTls({ ...tls, ca: [tls.ca, next.cert] });
    writeFileSync(key, next.key);
    const isNew = () => peer.received.some(({ certificate }) => certificate === fingerprint(cert));
    await until(isNew, { what: 'the new certificate is shown' });
  });

  test('are shown to a master list that demands a certificate', async (t) => {
    const { peer, trust, env } = await startStrictPeer(t);
    peer.answer = () => ({ body: { online: [] } });
    const list = { SHAZBOT_MASTER_LIST: `${peer.baseUrl}servers.json` };
    await startServer(t, { env: { ...trust, ...env, ...list } });
    await untilReached(peer);
    assert.equal(peer.received[0]?.certificate, fingerprint(env.SHAZBOT_TLS_CERT));
  });

  test('that cannot be used reject the start, naming the variable', async (t) => {
    const { trust, env } = await startStrictPeer(t);
    const other = selfSigned({ host: 'IP:127.0.0.1' });
    const empty = path.join(folder(), 'empty.pem');
    writeFileSync(empty, '');
    /** @type {[Record<string, string>, RegExp][]} */
    const wrong = [
      [{ SHAZBOT_TLS_KEY: '' }, /^SHAZBOT_TLS_KEY: .*missing/],
      [{ SHAZBOT_TLS_CERT: '' }, /^SHAZBOT_TLS_CERT: .*missing/],
      [{ SHAZBOT_TLS_CERT: '/nowhere/cert.pem' }, /^SHAZBOT_TLS_CERT: .*[Nn]o such file/],
      [{ SHAZBOT_TLS_CERT: empty }, /^SHAZBOT_TLS_CERT: it has no certificate/],
      [{ SHAZBOT_TLS_KEY: empty }, /^SHAZBOT_TLS_KEY: it has no private key/],
      [{ SHAZBOT_TLS_CERT: other.file }, /^SHAZBOT_TLS_KEY: it is not the key/],
    ];
    for (const [change, message] of wrong) {
      const start = { ...fileList().env, ...trust, ...env, ...change };
      const server = await startServer(t, { env: start, wait: false });
      const refused = await until(() => server.refused, { what: `the start is rejected: ${message}` });
      assert.equal(refused.code, 'SHAZBOT_INVALID_CONFIG');
      assert.match(refused.message, message);
      await server.kill();
    }
  });
});
