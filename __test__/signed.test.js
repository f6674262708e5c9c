'use strict';

const assert = require('node:assert/strict');
const { createHmac, randomBytes } = require('node:crypto');
const { describe, test } = require('node:test');

const { SECRET, agree, fileList, startServers } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { gossip, message } = require('../harness/gossip.js');
const { until } = require('../harness/until.js');

/** @typedef {import('../harness/cluster.js').Scope} Scope */

/**
 * A message as a server of ours signs it.
 *
 * @param {string} to base URL
 * @param {string} text
 * @param {string} [secret]
 */
function signed(to, text, secret = SECRET) {
  const nonce = randomBytes(16).toString('hex');
  const mac = createHmac('sha256', secret).update(`request ${nonce} ${to} ${text}`).digest('hex');
  return { authorization: `Shazbot ${nonce} ${mac} ${to}`, body: { ...message(), shazbot: text }, nonce };
}

/**
 * Five servers, each of which is restarted with the next of these environments, one after the other; then the next. All
 * know each other at each step.
 *
 * @param {Scope} scope
 * @param {Record<string, string>[]} steps
 */
async function roll(scope, steps) {
  const list = fileList();
  const servers = await startServers(scope, 5, { env: { ...list.env, ...steps[0] } });
  /** @type {string[]} */
  const refusals = [];
  for (const server of servers) {
    server.onLog = ({ message: text }) => {
      if (/\b401\b|refuses/.test(text)) refusals.push(text);
    };
  }
  /** @param {typeof servers[0]} server */
  const assertUnrefused = async (server) => {
    for (const { status } of await server.order('exchanges')) assert.equal(status, 200);
    assert.deepEqual(server.warnings, []);
  };
  await agree(servers, { online: servers });
  for (const step of steps.slice(1)) {
    for (const server of servers) {
      await assertUnrefused(server);
      await server.terminate();
      server.env = { ...list.env, ...step };
      await server.restart();
      await agree(servers, { online: servers }, { what: `all know each other at ${JSON.stringify(step)}` });
    }
  }
  await Promise.all(servers.map(assertUnrefused));
  assert.deepEqual(refusals, []);
  return servers;
}

describe('a rolling change of five live servers, at no step of which an exchange is answered 401', {
  concurrency: true,
}, () => {
  test('from the secret to signatures', async (t) => {
    await roll(t, [{}, { SHAZBOT_AUTH: 'sign' }, { SHAZBOT_AUTH: 'signed' }]);
  });

  test('to a name of the cluster, where messages are signed', async (t) => {
    const name = { SHAZBOT_CLUSTER: 'blue' };
    await roll(t, [
      { SHAZBOT_AUTH: 'signed' },
      { SHAZBOT_AUTH: 'sign' },
      { SHAZBOT_AUTH: 'sign', ...name },
      { SHAZBOT_AUTH: 'signed', ...name },
    ]);
  });

  test('of the secret', async (t) => {
    const other = 'another-gossip-secret';
    await roll(t, [
      { SHAZBOT_SECRET: SECRET, SHAZBOT_SECRET_ALSO: other },
      { SHAZBOT_SECRET: other, SHAZBOT_SECRET_ALSO: SECRET },
      { SHAZBOT_SECRET: other },
    ]);
  });

  test('of the secret that is signed with', async (t) => {
    const other = 'another-gossip-secret';
    const env = { SHAZBOT_AUTH: 'signed', SHAZBOT_CLUSTER: 'blue' };
    await roll(t, [
      { ...env, SHAZBOT_SECRET: SECRET, SHAZBOT_SECRET_ALSO: other },
      { ...env, SHAZBOT_SECRET: other, SHAZBOT_SECRET_ALSO: SECRET },
      { ...env, SHAZBOT_SECRET: other },
    ]);
  });
});

test('in signed mode the secret is in nothing that is sent', async (t) => {
  const peer = await startFakePeer(t);
  const list = [{ baseUrl: peer.baseUrl }];
  const engine = await startEngine(t, { SHAZBOT_AUTH: 'signed', SHAZBOT_MASTER_LIST: dataFile(list) });
  const [first] = await until(() => peer.received.length > 0 && peer.received, { what: 'the seed is gossiped with' });
  assert.match(first?.authorization ?? '', /^Shazbot [0-9a-f]{32} [0-9a-f]{64} http:/);
  assert.ok(!JSON.stringify(peer.received).includes(SECRET));
  // Its answer is not signed: it is no answer.
  const { online } = engine.shazbotGetServerList();
  assert.deepEqual(
    online.map(({ baseUrl }) => baseUrl),
    [engine.baseUrl],
  );
});

test('signed mode takes a signed message, and no other', async (t) => {
  const engine = await startEngine(t, { SHAZBOT_AUTH: 'signed' });
  const ask = (/** @type {string} */ header, /** @type {unknown} */ body) =>
    engine.shazbotGossipRequest(header, /** @type {any} */ (body)).then(
      (answer) => answer,
      ({ code, status, message: text }) => ({ code, status, text }),
    );
  const good = signed(engine.baseUrl, '2');
  const answer = /** @type {any} */ (await ask(good.authorization, good.body));
  const [, text, mac] = /^(.*) h([0-9a-f]{64})$/.exec(answer.shazbot) ?? [];
  const wanted = createHmac('sha256', SECRET).update(`answer ${good.nonce} ${engine.baseUrl} ${text}`).digest('hex');
  assert.equal(mac, wanted);

  const refused = (/** @type {string} */ header, /** @type {unknown} */ body) =>
    ask(header, body).then((it) => /** @type {any} */ (it).code);
  assert.equal(await refused(SECRET, message()), 'SHAZBOT_UNAUTHORIZED');
  assert.equal(await refused(SECRET, good.body), 'SHAZBOT_UNAUTHORIZED');
  assert.equal(await refused(good.authorization, { ...good.body, shazbot: '2 m' }), 'SHAZBOT_UNAUTHORIZED');
  assert.equal(await refused(good.authorization, message()), 'SHAZBOT_UNAUTHORIZED');
  const other = signed(engine.baseUrl, '2', 'another secret altogether');
  assert.equal(await refused(other.authorization, other.body), 'SHAZBOT_UNAUTHORIZED');
  const elsewhere = signed('http://elsewhere/', '2');
  assert.equal(await refused(elsewhere.authorization, elsewhere.body), 'SHAZBOT_MISDIRECTED');
  // What stands beside the signed field counts for nothing, whichever protocol that is of.
  const later = signed(engine.baseUrl, '3');
  const forged = {
    ...later.body,
    online: [{ baseUrl: 'http://127.0.0.1:9/', monitor: false, lastUpdate: Date.now() }],
  };
  assert.equal(await refused(later.authorization, forged), 'SHAZBOT_UNAUTHORIZED');
  const beside = { ...good.body, online: forged.online };
  assert.ok(/** @type {any} */ (await ask(good.authorization, beside)).shazbot);
  assert.equal(engine.shazbotGetServerList().online.length, 1);
});

test('a message that is sent again changes nothing', async (t) => {
  const engine = await startEngine(t, { SHAZBOT_AUTH: 'signed' });
  const peer = await startFakePeer(t);
  const now = Date.now();
  const say = (/** @type {string} */ word) => signed(engine.baseUrl, `2 ${word}`);
  const born = say(`so${now}>${peer.baseUrl}>${now}.1`);
  const left = say(`sx${now + 1}>${peer.baseUrl}>${now + 1}.1.l.${peer.baseUrl}`);
  const back = say(`so${now + 2}>${peer.baseUrl}>${now + 2}.2`);
  const hear = (/** @type {ReturnType<typeof signed>} */ { authorization, body }) =>
    engine.shazbotGossipRequest(authorization, /** @type {any} */ (body));
  const state = () => {
    const { online, offline = [] } = engine.shazbotGetServerList(true);
    const has = (/** @type {typeof online} */ list) => list.some(({ baseUrl }) => baseUrl === peer.baseUrl);
    return has(online) ? 'online' : has(offline) ? 'offline' : 'unknown';
  };
  await hear(born);
  await hear(left);
  assert.equal(state(), 'offline');
  await hear(born);
  assert.equal(state(), 'offline', 'what it said before it left does not bring it back');
  await hear(back);
  assert.equal(state(), 'online');
  await hear(left);
  await hear(born);
  assert.equal(state(), 'online', 'an old leave does not take it out again');
});

test('another cluster with the same secret is kept apart, and named once', async (t) => {
  const list = fileList();
  const blue = { ...list.env, SHAZBOT_CLUSTER: 'blue' };
  const servers = await startServers(t, 2, { env: blue });
  await agree(servers, { online: servers });
  const [one] = servers;
  const green = await startServers(t, 1, { env: { ...fileList().env, SHAZBOT_CLUSTER: 'green' } });
  const [stranger] = green;
  // A list names it, as one does whose address now belongs to somebody else.
  const entries = [{ baseUrl: stranger?.baseUrl, monitor: false, lastUpdate: Date.now() }];
  await gossip(/** @type {string} */ (one?.baseUrl), message(entries));
  await until(() => one?.warnings.some(({ code }) => code === 'SHAZBOT_WRONG_CLUSTER'), { what: 'a warning' });
  await agree(green, { online: green });
  const warned = one?.warnings.filter(({ code }) => code === 'SHAZBOT_WRONG_CLUSTER') ?? [];
  assert.equal(warned.length, 1);
  assert.match(warned[0]?.message ?? '', /"(blue|green)"/);
});

/**
 * A master list in a file.
 *
 * @param {unknown[]} online
 */
function dataFile(online) {
  const list = fileList();
  require('node:fs').writeFileSync(list.file, JSON.stringify({ online }));
  return /** @type {string} */ (list.env.SHAZBOT_MASTER_LIST);
}
