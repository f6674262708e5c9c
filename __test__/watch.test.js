'use strict';

// Watch connections between real processes: how soon a death is known, and that they disturb nobody.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const net = require('node:net');
const { describe, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const tls = require('node:tls');

const { fastify } = require('fastify');

const { certificates, missing: noCertificates } = require('../harness/certificates.js');
const { CONTROL_SECRET, agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { missing: noNamespaces, startHalves } = require('../harness/namespaces.js');
const { freePorts } = require('../harness/ports.js');
const { until } = require('../harness/until.js');
const { fastClock } = require('./support/clock.js');
const { missing: noNginx, startNginx } = require('./support/nginx.js');

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */
/** @typedef {import('../harness/cluster.js').Scope} Scope */

/** Without watches nothing would be known within this test. */
const RARELY = { SHAZBOT_GOSSIP_INTERVAL: '600', TEST_CLIENT_ERRORS: 'yes' };
/** On a busy machine; a second or two elsewhere. */
const LIMIT = { timeout: 20_000 };

/** @param {Server} server @returns {Promise<import('..').ShazbotCounters['watches']>} */
const watchesOf = async (server) => (await server.order('call', 'shazbotStatus')).exchanges.watches;

/** Waits until each server watches two others. @param {Server[]} servers */
async function watching(servers) {
  for (const server of servers) {
    // Only a server that has answered is watched. With this interval they would meet after hours, but the announcements of a
    // drain and of its end are answered.
    for (const online of [false, true]) {
      await server.order('call', 'shazbotControlRequest', CONTROL_SECRET, { message: 'control', online });
    }
  }
  for (const server of servers) {
    await until(async () => (await watchesOf(server)).open >= 2, { what: `${server.baseUrl} watches two others` });
  }
  await agree(servers, { online: servers });
}

/** @param {Server[]} servers */
async function assertUndisturbed(servers) {
  for (const server of servers) assert.deepEqual(await server.order('clientErrors'), [], server.baseUrl);
}

/** Asserts that none of the servers has ever listed one of them as failed. @param {Server[]} servers */
function assertNeverFailed(servers) {
  for (const { baseUrl, events } of servers) {
    const wrong = events.filter((it) => it.reason === 'failed' && servers.some((one) => one.baseUrl === it.baseUrl));
    assert.deepEqual(wrong, [], baseUrl);
  }
}

/** @param {Server} server */
const hasLeft = (server) =>
  server.order('call', 'shazbotStatus').then(
    () => false,
    ({ code }) => code === 'SHAZBOT_NOT_STARTED',
  );

/** Uses https. @returns {Record<string, string>} */
function secure() {
  const { directory, authority } = certificates();
  return { TEST_TLS: directory, NODE_EXTRA_CA_CERTS: authority };
}

for (const scheme of ['http', 'https']) {
  describe(`over ${scheme}`, { skip: scheme === 'https' && noCertificates }, () => {
    test('all know within seconds of a process that is killed, exits or throws, whatever the interval', async (t) => {
      const env = { ...fileList().env, ...RARELY, ...(scheme === 'https' && secure()) };
      let online = await startServers(t, 7, { env });
      await agree(online, { online });
      await watching(online);
      /** @type {Server[]} */
      const offline = [];
      /** @type {((victim: Server) => unknown)[]} */
      const ends = [
        (victim) => victim.signal('SIGKILL'),
        (victim) => victim.order('exit').catch(() => {}),
        (victim) => victim.order('throw').catch(() => {}),
      ];
      for (const end of ends) {
        const victim = /** @type {Server} */ (online[1]);
        end(victim);
        online = online.filter((server) => server !== victim);
        offline.push(victim);
        await agree(online, { online, offline }, LIMIT);
      }
      await assertUndisturbed(online);
      assertNeverFailed(online);
      const watches = await Promise.all(online.map(watchesOf));
      assert.ok(watches.reduce((sum, { closed }) => sum + closed, 0) >= 3, 'the deaths closed watches');
      assert.ok(watches.some(({ probes }) => probes > 0));
    });

    test('watches are renewed without an error on the watched server', async (t) => {
      const env = { ...fileList().env, ...RARELY, ...fastClock(10), ...(scheme === 'https' && secure()) };
      const servers = await startServers(t, 3, { env });
      await agree(servers, { online: servers });
      await watching(servers);
      // Five lifetimes of a watch.
      await sleep(7_500);
      await assertUndisturbed(servers);
      assertNeverFailed(servers);
      for (const server of servers) {
        const { open, closed, vanished } = await watchesOf(server);
        assert.deepEqual({ open, closed, vanished }, { open: 2, closed: 0, vanished: 0 });
      }
    });
  });
}

describe('server.close()', () => {
  test('waits for no watch after a leave, and for one no longer than a watch lives without', async (t) => {
    const env = { ...fileList().env, ...RARELY, ...fastClock(5) };
    const servers = await startServers(t, 5, { env });
    const [leaver, closer, ...others] = /** @type {[Server, Server, ...Server[]]} */ (servers);
    await agree(servers, { online: servers });
    await watching(servers);
    await leaver.order('shutDown');
    const afterLeave = await leaver.order('close');
    assert.ok(afterLeave < 1_500, `it took ${afterLeave} ms after a leave`);
    // 15 s by the clock of the servers. The routes of this program are written by hand: they cannot leave for it.
    const without = await closer.order('close');
    assert.ok(without < 16_000 / 5 + 3_000, `it took ${without} ms without`);
    await assertUndisturbed([leaver, closer, ...others]);
  });

  test('waits for idle https connections of others for at most two seconds after a leave', {
    skip: noCertificates,
  }, async (t) => {
    // The exchanges of a start open several connections at once, some of which carry no request.
    const servers = await startServers(t, 8, { env: { ...fileList().env, ...secure() } });
    await agree(servers, { online: servers });
    const times = [];
    for (const server of servers.slice(0, 5)) {
      await server.order('shutDown');
      times.push(await server.order('close'));
    }
    assert.ok(Math.max(...times) < 3_500, `${times} ms`);
  });

  for (const scheme of ['http', 'https']) {
    test(`does not wait for silent ${scheme} connections whose other end is gone, with the routes of the package`, {
      skip: scheme === 'https' && noCertificates,
    }, async (t) => {
      const env = { ...fileList().env, ...RARELY, ...(scheme === 'https' && secure()), TEST_ROUTER: 'yes' };
      const [server, other] = /** @type {[Server, Server]} */ (await startServers(t, 2, { env }));
      await agree([server, other], { online: [server, other] });
      const { hostname: host, port } = new URL(server.baseUrl);
      // Like a peer from which no FIN arrives, this one never closes its end.
      const to = { host, port: Number(port), allowHalfOpen: true };
      const silent = scheme === 'https' ? tls.connect({ ...to, rejectUnauthorized: false }) : net.connect(to);
      t.after(() => silent.destroy());
      await once(silent, scheme === 'https' ? 'secureConnect' : 'connect');
      await server.order('shutDown');
      const ms = await server.order('close');
      assert.ok(ms < 5_000, `it took ${ms} ms`);
    });
  }

  test('ends a connection of a proxy after the response that is under way, with the routes of the package', async (t) => {
    const env = { ...fileList().env, ...RARELY, TEST_ROUTER: 'yes' };
    const [server, other] = /** @type {[Server, Server]} */ (await startServers(t, 2, { env }));
    await agree([server, other], { online: [server, other] });
    const { hostname: host, port } = new URL(server.baseUrl);
    const proxy = net.connect({ host, port: Number(port) });
    t.after(() => proxy.destroy());
    let received = '';
    proxy.on('data', (data) => {
      received += data;
    });
    proxy.write('GET /ordinary HTTP/1.1\r\nHost: a\r\n');
    // Answered after the server has read the beginning of the request.
    await server.order('clientErrors');
    const closed = server.order('close');
    await until(() => hasLeft(server), { what: 'it has left' });
    proxy.write('\r\n');
    await once(proxy, 'end');
    assert.match(received, /^HTTP\/1\.1 200 (?=.*Connection: close\r\n).*an ordinary answer/s);
    assert.ok((await closed) < 5_000);
  });

  test('makes a server leave that has the routes of the package', async (t) => {
    const env = { ...fileList().env, ...RARELY, TEST_ROUTER: 'yes' };
    const servers = await startServers(t, 3, { env });
    const [closer, ...others] = /** @type {[Server, Server, Server]} */ (servers);
    await agree(servers, { online: servers });
    await watching(servers);
    const ms = await closer.order('close');
    assert.ok(ms < 10_000, `it took ${ms} ms`);
    await until(() => hasLeft(closer), { what: 'it has left' });
    await agree(others, { online: others, offline: [closer] }, LIMIT);
  });
});

test('the Fastify plugin leaves when the last application that has it closes', async (t) => {
  const { shazbotStatus } = await startEngine(t);
  const { default: plugin } = require('../lib/fastify.js');
  const apps = [fastify(), fastify()];
  for (const app of apps) await app.register(plugin).ready();
  await apps[0]?.close();
  assert.equal(shazbotStatus().state, 'online');
  await apps[1]?.close();
  assert.throws(shazbotStatus, { code: 'SHAZBOT_NOT_STARTED' });
});

/**
 * Starts a TCP proxy that closes idle connections.
 *
 * @param {Scope} scope
 * @param {number} port to pass on to
 * @param {number} idle in ms
 */
async function startProxy(scope, port, idle) {
  const [own = 0] = await freePorts(1);
  /** @type {Set<net.Socket>} */
  const sockets = new Set();
  const proxy = net.createServer((near) => {
    const far = net.connect(port, '127.0.0.1');
    near.pipe(far).pipe(near);
    near.setTimeout(idle, () => near.end());
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(/** @type {net.Socket} */ (socket));
      socket?.on('error', () => {}).on('close', () => other?.destroy());
    }
  });
  await new Promise((resolve) => proxy.listen(own, '127.0.0.1', () => resolve(undefined)));
  scope.after(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  return `http://127.0.0.1:${own}/`;
}

test('a proxy in front of each server that closes idle connections makes nobody be listed offline', async (t) => {
  const list = fileList();
  const ports = await freePorts(4);
  const servers = await Promise.all(
    ports.map(async (port) => {
      // 5 s by the clock of the servers.
      const baseUrl = await startProxy(t, port, 500);
      const env = { ...list.env, ...RARELY, SHAZBOT_GOSSIP_INTERVAL: '30', ...fastClock(10) };
      return startServer(t, { port, baseUrl, env });
    }),
  );
  await agree(servers, { online: servers });
  await watching(servers);
  // Two minutes.
  await sleep(12_000);
  assertNeverFailed(servers);
  await assertUndisturbed(servers);
  for (const server of servers) {
    const { open, closed, probes } = await watchesOf(server);
    assert.ok(closed > 0, 'the proxy has closed watches');
    assert.ok(open > 0 && closed <= 10 && probes <= 10, `${open} open, ${closed} closed, ${probes} probes`);
  }
});

for (const { name, settings, closes } of [
  { name: 'as installed', settings: '', closes: false },
  {
    name: 'that closes idle connections',
    // 5 s by the clock of the servers, for connections with and without a request.
    settings: 'keepalive_timeout 500ms; client_header_timeout 500ms;',
    closes: true,
  },
]) {
  describe(`behind nginx ${name}`, { skip: noNginx() }, () => {
    test('no server that runs is listed offline, and one that is killed is', async (t) => {
      const list = fileList();
      const ports = await freePorts(4);
      const urls = await startNginx(t, ports, settings);
      const env = { ...list.env, ...RARELY, SHAZBOT_GOSSIP_INTERVAL: '30', ...fastClock(10) };
      const servers = await Promise.all(ports.map((port, n) => startServer(t, { port, baseUrl: urls[n], env })));
      await agree(servers, { online: servers });
      await watching(servers);
      // 80 s by the clock of the servers.
      await sleep(8_000);
      assertNeverFailed(servers);
      await assertUndisturbed(servers);
      for (const server of servers) {
        const { open, closed, probes } = await watchesOf(server);
        assert.equal(closed > 0, closes, `${closed} closed`);
        assert.ok(open > 0 && closed <= 10 && probes <= 10, `${open} open, ${closed} closed, ${probes} probes`);
      }

      // nginx keeps the watches open and answers 502, so a probe in a round finds the death, within about 30 s. The limit is 100 s.
      const [victim, ...others] = /** @type {[Server, ...Server[]]} */ (servers);
      await victim.kill();
      const took = await agree(others, { online: others, offline: [victim] }, { timeout: 10_000 });
      t.diagnostic(`known after ${took / 100} s by the clock of the servers`);
      assertNeverFailed(others);
    });
  });
}

test('a host that vanishes is known without a round of gossip', { skip: noNamespaces, timeout: 120_000 }, async (t) => {
  const { places, cut } = await startHalves(t);
  const [left, right] = places;
  // A list that all share: a file is visible from both networks.
  const env = { ...fileList().env, ...RARELY };
  const start = (/** @type {typeof left} */ place) => startServer(t, { place, env });
  const watchers = await Promise.all([start(left), start(left)]);
  const lost = await start(right);
  const all = [...watchers, lost];
  await agree(all, { online: all });
  await watching(all);
  cut();
  // Keep-alive needs 11 s.
  await agree(watchers, { online: watchers, offline: [lost] }, { timeout: 60_000 });
  const found = await Promise.all(watchers.map(watchesOf));
  assert.ok(
    found.some(({ vanished }) => vanished > 0),
    'by keep-alive',
  );
});
