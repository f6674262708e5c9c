'use strict';

// Servers that find each other by DNS, in a network namespace with a resolver of its own.

const assert = require('node:assert/strict');
const { fork } = require('node:child_process');
const { describe, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');

const { SECRET, agree, assertAgreed, fileList, startServer } = require('../harness/cluster.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { missing: noNamespaces, startHalves } = require('../harness/namespaces.js');
const { signAnswer } = require('../harness/signed.js');
const { until } = require('../harness/until.js');
const { certificates, missing: noCertificates } = require('../harness/certificates.js');
const { during } = require('./support/during.js');
const { addressOf, missing, startNamedNetwork } = require('./support/named-network.js');

/** @typedef {Awaited<ReturnType<typeof startServer>>} TestServer */
/** @typedef {Awaited<ReturnType<typeof startNamedNetwork>>} Network */

const PORT = 3000;
const NAME = 'app.test';
const DNS = { SHAZBOT_MASTER_LIST: `dns+http://${NAME}:${PORT}/`, SHAZBOT_GOSSIP_INTERVAL: '1' };
/** How long lists may be wrong once DNS is right, ms. */
const SOON = 10_000;

/**
 * Starts servers at these addresses.
 * @param {import('../harness/cluster.js').Scope} scope
 * @param {Network} network
 * @param {number[]} addresses
 * @param {Record<string, string>} [env]
 */
const startAll = (scope, network, addresses, env = DNS) =>
  Promise.all(addresses.map((n) => startServer(scope, { port: PORT, place: network.place(n), env })));

/** @param {number[]} addresses */
const records = (addresses) => ({ [NAME]: { A: addresses.map(addressOf) } });

/** @param {number} first @param {number} count */
const range = (first, count) => Array.from({ length: count }, (_, n) => first + n);

describe('servers that know one name', { skip: missing, concurrency: 2 }, () => {
  test('find each other as their number goes from three to ten and to two', async (t) => {
    const network = await startNamedNetwork(t);
    await network.setRecords(records(range(1, 3)));
    const servers = await startAll(t, network, range(1, 3));
    await agree(servers, { online: servers }, { timeout: SOON });
    await network.setRecords(records(range(1, 10)));
    servers.push(...(await startAll(t, network, range(4, 7))));
    await agree(servers, { online: servers }, { timeout: SOON });
    const left = servers.splice(2);
    await network.setRecords(records(range(1, 2)));
    await Promise.all(left.map((server) => server.terminate()));
    await agree(servers, { online: servers, offline: left }, { timeout: SOON });
  });

  test('find each other after all were replaced three times, each with a new address', async (t) => {
    const network = await startNamedNetwork(t);
    await network.setRecords(records(range(1, 3)));
    let servers = await startAll(t, network, range(1, 3));
    await agree(servers, { online: servers }, { timeout: SOON });
    /** @type {TestServer[]} */
    const offline = [];
    for (const first of [11, 21, 31]) {
      for (const n of range(first, 3)) {
        const [added] = /** @type {[TestServer]} */ (await startAll(t, network, [n]));
        const removed = /** @type {TestServer} */ (servers.shift());
        servers.push(added);
        await network.setRecords(records(servers.map(({ place }) => Number(place?.host.split('.')[3]))));
        await until(async () => (await added.view()).online.length >= 3, { timeout: SOON, what: 'the new one joins' });
        await removed.terminate();
        offline.push(removed);
      }
      await agree(servers, { online: servers, offline }, { timeout: SOON });
    }
    servers = [];
  });

  test('find each other when the records come late, and are alone loudly before', async (t) => {
    const network = await startNamedNetwork(t);
    const env = { ...DNS, SHAZBOT_GOSSIP_INTERVAL: '0.3' };
    const [nobody] = /** @type {[TestServer]} */ (await startAll(t, network, [1], env));
    const warnings = () => nobody.warnings.filter(({ code }) => code === 'SHAZBOT_ALONE');
    await until(() => warnings().length, { what: 'the warning' });
    assert.match(warnings()[0]?.message ?? '', new RegExp(`dns\\+http://${NAME}:${PORT}/ cannot be looked up`));
    const [empty] = /** @type {[TestServer]} */ (await startAll(t, network, [2], env));
    await network.setRecords({ [NAME]: {} });
    await sleep(3_000);
    await assertAgreed([nobody], { online: [nobody] });
    await network.setRecords(records([1, 2]));
    await agree([nobody, empty], { online: [nobody, empty] }, { timeout: SOON });
    assert.equal(warnings().length, 1);
  });

  test('find each other among 300 addresses, most of them stale', async (t) => {
    const network = await startNamedNetwork(t);
    await network.setRecords(records(range(1, 300)));
    const servers = await startAll(t, network, [7, 150, 299]);
    await agree(servers, { online: servers }, { timeout: SOON + 10_000 });
  });

  test('survive a resolver that is silent at their start, or fails later', async (t) => {
    const network = await startNamedNetwork(t);
    await network.setRecords(records([1, 2, 3]));
    await network.setMode('silent');
    const servers = await startAll(t, network, [1, 2]);
    await sleep(3_000);
    await network.setMode('answer');
    await agree(servers, { online: servers }, { timeout: SOON });
    for (const mode of /** @type {const} */ (['silent', 'fail'])) {
      await network.setMode(mode);
      await during(3_000, () => assertAgreed(servers, { online: servers }), { every: 500 });
    }
    await network.setMode('answer');
    servers.push(...(await startAll(t, network, [3])));
    await agree(servers, { online: servers }, { timeout: SOON });
  });

  test('send neither the secret nor their list to a program that has taken an address over', async (t) => {
    const network = await startNamedNetwork(t);
    await network.setRecords(records([1, 2, 3]));
    const [execPath, ...execArgv] = [...network.enter, process.execPath];
    const args = [addressOf(2), String(PORT)];
    const thief = fork(`${__dirname}/support/echo-server.js`, args, { execPath, execArgv });
    t.after(() => thief.disconnect());
    /** @type {{ authorization: string, body: string }[]} */
    const requests = [];
    thief.on('message', (request) => requests.push(/** @type {any} */ (request)));
    const other = { ...DNS, SHAZBOT_SECRET: 'the-secret-of-another-cluster' };
    const [theirs] = /** @type {[TestServer]} */ (await startAll(t, network, [3], other));
    const [ours] = /** @type {[TestServer]} */ (await startAll(t, network, [1]));
    await until(() => requests.length >= 2, { what: 'the program is asked' });
    await during(3_000, () => assertAgreed([ours], { online: [ours] }), { every: 500 });
    await assertAgreed([theirs], { online: [theirs] });
    for (const { authorization, body } of requests) {
      assert.match(authorization, /^Shazbot /);
      assert.ok(!authorization.includes(SECRET) && !body.includes('http'), body);
    }
  });

  const hosts = ['one.test', 'two.test', 'three.test'];
  const addresses = Object.fromEntries(hosts.map((host, n) => [host, { A: [addressOf(n + 1)] }]));

  test('find each other with signed messages, base URLs that are names, and SRV records', async (t) => {
    const network = await startNamedNetwork(t);
    const service = '_http._tcp.app.test';
    const srv = hosts.map((name) => ({ name, port: PORT }));
    await network.setRecords({ ...addresses, [service]: { SRV: srv }, [NAME]: { A: [1, 2, 3].map(addressOf) } });
    /** @param {string} list @param {number} n */
    const start = (list, n) =>
      startServer(t, {
        port: PORT,
        place: network.place(n + 1),
        baseUrl: `http://${hosts[n]}:${PORT}/`,
        env: { ...DNS, SHAZBOT_MASTER_LIST: list, SHAZBOT_AUTH: 'signed' },
      });
    const byService = `srv+http://${service}/`;
    const servers = await Promise.all([start(byService, 0), start(byService, 1), start(DNS.SHAZBOT_MASTER_LIST, 2)]);
    await agree(servers, { online: servers }, { timeout: SOON });
    for (const { warnings } of servers) assert.deepEqual(warnings, []);
  });

  test('find each other over HTTPS by SRV records, whose names the certificates have', {
    skip: noCertificates,
  }, async (t) => {
    const network = await startNamedNetwork(t);
    const { directory, authority } = certificates(hosts.map((host) => `DNS:${host}`).join());
    const service = '_https._tcp.app.test';
    await network.setRecords({ ...addresses, [service]: { SRV: hosts.map((name) => ({ name, port: PORT })) } });
    const servers = await Promise.all(
      hosts.map((host, n) =>
        startServer(t, {
          port: PORT,
          place: network.place(n + 1),
          baseUrl: `https://${host}:${PORT}/`,
          env: {
            SHAZBOT_MASTER_LIST: `srv+https://${service}/`,
            SHAZBOT_AUTH: n === 0 ? 'signed' : 'sign',
            TEST_TLS: directory,
            NODE_EXTRA_CA_CERTS: authority,
          },
        }),
      ),
    );
    await agree(servers, { online: servers }, { timeout: SOON });
    for (const { warnings } of servers) assert.deepEqual(warnings, []);
  });
});

test('of several addresses a server takes the one that leads to the others as {address}', {
  skip: noNamespaces,
}, async (t) => {
  const { places, addAddress } = await startHalves(t);
  addAddress('198.51.100.7');
  const env = {
    SHAZBOT_BASE_URL: 'http://{address}:{port}/',
    PORT: String(PORT),
    SHAZBOT_MASTER_LIST: [...places]
      .reverse()
      .map(({ host }) => `http://${host}:${PORT}/clustershazbot/list`)
      .join(' '),
  };
  const servers = await Promise.all(places.map((place) => startServer(t, { port: PORT, place, env })));
  await agree(servers, { online: servers }, { timeout: SOON });
});

test('servers whose names lead to loopback addresses only after their start find each other', {
  skip: missing,
}, async (t) => {
  const network = await startNamedNetwork(t);
  const { env } = fileList();
  const hosts = ['one.test', 'two.test', 'three.test'];
  const servers = await Promise.all(
    hosts.map((host, n) =>
      startServer(t, {
        port: PORT + n,
        place: { host: '127.0.0.1', enter: network.enter },
        baseUrl: `http://${host}:${PORT + n}/`,
        env,
      }),
    ),
  );
  await sleep(3_000);
  await network.setRecords(Object.fromEntries(hosts.map((host) => [host, { A: ['127.0.0.1'] }])));
  await agree(servers, { online: servers }, { timeout: SOON });
});

test('a server whose secret is refused at an address of its name warns within seconds', async (t) => {
  const one = await startServer(t, { env: fileList().env });
  const env = {
    SHAZBOT_MASTER_LIST: `dns+http://localhost:${new URL(one.baseUrl).port}/`,
    SHAZBOT_SECRET: 'the-secret-of-another-cluster',
    SHAZBOT_GOSSIP_INTERVAL: '30',
  };
  const other = await startServer(t, { env });
  const isWarning = (/** @type {any} */ { code }) => code === 'SHAZBOT_PEER_REFUSED_SECRET';
  await until(() => other.warnings.some(isWarning), { timeout: 5_000, what: 'the warning' });
  assert.match(other.warnings.find(isWarning)?.message ?? '', /at 127\.0\.0\.1 rejects our SHAZBOT_SECRET/);
});

describe('over HTTPS, the server at an address', { skip: noCertificates }, () => {
  /**
   * Starts a peer that says it is itself, and a server whose list is the name localhost.
   * @param {import('../harness/cluster.js').Scope} scope
   * @param {string} host the name in the certificate
   */
  async function startBoth(scope, host) {
    const { authority, key, cert } = certificates(host);
    const peer = await startFakePeer(scope, { tls: { key, cert } });
    const url = `https://localhost:${new URL(peer.baseUrl).port}/`;
    peer.answer = ({ authorization = '' }) => {
      if (!authorization.startsWith('Shazbot ')) return { status: 500, body: {} };
      return { body: signAnswer(authorization, '?', `2 i${url} t5eed.70000`) };
    };
    const env = { SHAZBOT_MASTER_LIST: `dns+${url}`, NODE_EXTRA_CA_CERTS: authority };
    return { peer, server: await startServer(scope, { env }) };
  }

  test('is asked if its certificate is for the name, and then gets gossip at its base URL', async (t) => {
    const { peer } = await startBoth(t, 'DNS:localhost');
    await until(() => peer.received.some(({ authorization }) => authorization === SECRET), { what: 'it gets gossip' });
    assert.equal(peer.received[0]?.body.shazbot, '2');
  });

  test('is not asked if its certificate is for another name', async (t) => {
    const { peer, server } = await startBoth(t, 'DNS:other.test,IP:127.0.0.1');
    const isFailure = (/** @type {any} */ log) => log.code === 'PLACE_FAILED' && log.message.includes('certificate');
    await until(() => server.logs.find(isFailure), { what: 'it fails' });
    assert.deepEqual(peer.received, []);
  });
});
