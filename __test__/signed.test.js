'use strict';

// Signed messages, and rolling changes of the secret, the authentication mode and the cluster name.

const assert = require('node:assert/strict');
const { createHmac } = require('node:crypto');
const { writeFileSync } = require('node:fs');
const { describe, test } = require('node:test');

const { SECRET, agree, fileList, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { startEngine } = require('../harness/engine.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { entry, gossip, message } = require('../harness/gossip.js');
const { sign, timeOf } = require('../harness/signed.js');
const { until } = require('../harness/until.js');

/** @typedef {import('../harness/cluster.js').Scope} Scope */

/**
 * Starts five servers with the first environment, then restarts them one by one with the second, and so on. All servers
 * must list each other after each restart, and no exchange may be rejected.
 *
 * @param {Scope} scope
 * @param {Record<string, string>[]} steps
 */
async function assertRolls(scope, steps) {
  const list = fileList();
  const servers = await startServers(scope, 5, { env: { ...list.env, ...steps[0] } });
  /** @type {string[]} */
  const rejections = [];
  for (const server of servers) {
    server.onLog = ({ message: text }) => {
      if (/\b401\b|refuses/.test(text)) rejections.push(text);
    };
  }
  /** @param {typeof servers[0]} server */
  const assertAccepted = async (server) => {
    for (const { status } of await server.order('exchanges')) assert.equal(status, 200);
    // While a name is introduced, servers with and without it meet.
    assert.deepEqual(
      server.warnings.filter(({ code }) => code !== 'SHAZBOT_CLUSTER_NAME'),
      [],
    );
  };
  await agree(servers, { online: servers });
  for (const step of steps.slice(1)) {
    for (const server of servers) {
      await assertAccepted(server);
      await server.terminate();
      server.env = { ...list.env, ...step };
      await server.restart();
      await agree(servers, { online: servers }, { what: `all servers list each other at ${JSON.stringify(step)}` });
    }
  }
  await Promise.all(servers.map(assertAccepted));
  assert.deepEqual(rejections, []);
}

describe('no exchange is answered 401 during a rolling restart of five servers', { concurrency: true }, () => {
  test('that changes from the plain secret to signatures', async (t) => {
    await assertRolls(t, [{}, { SHAZBOT_AUTH: 'sign' }, { SHAZBOT_AUTH: 'signed' }]);
  });

  test('that adds a cluster name, with signed messages', async (t) => {
    const name = { SHAZBOT_CLUSTER: 'blue' };
    await assertRolls(t, [
      { SHAZBOT_AUTH: 'signed' },
      { SHAZBOT_AUTH: 'sign' },
      { SHAZBOT_AUTH: 'sign', ...name },
      { SHAZBOT_AUTH: 'signed', ...name },
    ]);
  });

  test('that changes the secret', async (t) => {
    const other = 'another-gossip-secret';
    await assertRolls(t, [
      { SHAZBOT_SECRET: SECRET, SHAZBOT_SECRET_ALSO: other },
      { SHAZBOT_SECRET: other, SHAZBOT_SECRET_ALSO: SECRET },
      { SHAZBOT_SECRET: other },
    ]);
  });

  test('that changes the secret that signs messages', async (t) => {
    const other = 'another-gossip-secret';
    const env = { SHAZBOT_AUTH: 'signed', SHAZBOT_CLUSTER: 'blue' };
    await assertRolls(t, [
      { ...env, SHAZBOT_SECRET: SECRET, SHAZBOT_SECRET_ALSO: other },
      { ...env, SHAZBOT_SECRET: other, SHAZBOT_SECRET_ALSO: SECRET },
      { ...env, SHAZBOT_SECRET: other },
    ]);
  });
});

test('in signed mode a server never sends the secret, and ignores an unsigned answer', async (t) => {
  const peer = await startFakePeer(t);
  const list = fileList();
  writeFileSync(list.file, JSON.stringify({ online: [{ baseUrl: peer.baseUrl }] }));
  const engine = await startEngine(t, { SHAZBOT_AUTH: 'signed', ...list.env });
  const [first] = await until(() => peer.received.length > 0 && peer.received, { what: 'gossip with the seed' });
  assert.match(first?.authorization ?? '', /^Shazbot [0-9a-f]{32} 0\.0 [0-9a-f]{64} http:/);
  assert.ok(!JSON.stringify(peer.received).includes(SECRET));
  const { online } = engine.shazbotGetServerList();
  assert.deepEqual(
    online.map(({ baseUrl }) => baseUrl),
    [engine.baseUrl],
  );
});

test('signed mode accepts only correctly signed messages', async (t) => {
  const engine = await startEngine(t, { SHAZBOT_AUTH: 'signed' });
  const send = (/** @type {string} */ header, /** @type {unknown} */ body) =>
    engine.shazbotGossipRequest(header, /** @type {any} */ (body)).then(
      (answer) => answer,
      ({ code, status, message: text }) => ({ code, status, text }),
    );
  const time = await timeOf(engine.baseUrl, ({ authorization, body }) => send(authorization, body));
  const signed = (/** @type {string} */ to, /** @type {string} */ text, secret = SECRET) =>
    sign(to, text, { secret, time });
  const good = signed(engine.baseUrl, '2');
  const answer = /** @type {any} */ (await send(good.authorization, good.body));
  const [, text, mac] = /^(.*) h([0-9a-f]{64})$/.exec(answer.shazbot) ?? [];
  const expected = createHmac('sha256', SECRET).update(`answer ${good.nonce} ${engine.baseUrl} ${text}`).digest('hex');
  assert.equal(mac, expected);

  const errorCode = (/** @type {string} */ header, /** @type {unknown} */ body) =>
    send(header, body).then((it) => /** @type {any} */ (it).code);
  assert.equal(await errorCode(SECRET, message()), 'SHAZBOT_UNAUTHORIZED');
  assert.equal(await errorCode(SECRET, good.body), 'SHAZBOT_UNAUTHORIZED');
  assert.equal(await errorCode(good.authorization, { ...good.body, shazbot: '2 m' }), 'SHAZBOT_UNAUTHORIZED');
  assert.equal(await errorCode(good.authorization, message()), 'SHAZBOT_UNAUTHORIZED');
  const other = signed(engine.baseUrl, '2', 'another secret altogether');
  assert.equal(await errorCode(other.authorization, other.body), 'SHAZBOT_UNAUTHORIZED');
  const elsewhere = signed('http://elsewhere/', '2');
  assert.equal(await errorCode(elsewhere.authorization, elsewhere.body), 'SHAZBOT_MISDIRECTED');
  // Fields that the signature does not cover are ignored, also in a message of another protocol version.
  const later = signed(engine.baseUrl, '3');
  const forged = {
    ...later.body,
    online: [{ baseUrl: 'http://127.0.0.1:9/', monitor: false, lastUpdate: Date.now() }],
  };
  assert.equal(await errorCode(later.authorization, forged), 'SHAZBOT_UNAUTHORIZED');
  const next = signed(engine.baseUrl, '2');
  const beside = { ...next.body, online: forged.online };
  assert.match(/** @type {any} */ (await send(next.authorization, beside)).shazbot, /^2 so/);
  assert.equal(engine.shazbotGetServerList().online.length, 1);
});

test('a server of another cluster with the same secret learns of no server of this one, and causes one warning', async (t) => {
  const servers = await startServers(t, 2, { env: { ...fileList().env, SHAZBOT_CLUSTER: 'blue' } });
  await agree(servers, { online: servers });
  const [one] = /** @type {[typeof servers[0]]} */ (servers);
  const green = await startServers(t, 1, { env: { ...fileList().env, SHAZBOT_CLUSTER: 'green' } });
  const [stranger] = /** @type {[typeof servers[0]]} */ (green);
  const warnings = () => one.warnings.filter(({ code }) => code === 'SHAZBOT_WRONG_CLUSTER');
  // Peers list the stranger, as if it had taken over the address of a server of this cluster.
  const sendEntry = () => gossip(one.baseUrl, message([entry(stranger.baseUrl)]));
  await sendEntry();
  await until(() => warnings().length > 0, { what: 'a warning' });
  assert.match(warnings()[0]?.message ?? '', /"(blue|green)"/);
  await during(2_000, async () => {
    await sendEntry();
    assert.equal(warnings().length, 1);
    assert.deepEqual(await stranger.view(), { online: [stranger.baseUrl], offline: [] });
  });
});
