'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { gossip, message } = require('../harness/gossip.js');

/** @typedef {import('node:test').TestContext} TestContext */

/**
 * @param {TestContext} t
 * @param {string} interval in seconds
 */
async function three(t, interval) {
  const { env } = fileList();
  const servers = await startServers(t, 3, { env: { ...env, SHAZBOT_GOSSIP_INTERVAL: interval } });
  await agree(servers, { online: servers });
  const [drained, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
  return { servers, drained, others, env };
}

describe('a drain', { concurrency: 2 }, () => {
  test('a drained server stays offline in every list, its own included, through many rounds of gossip', async (t) => {
    const { servers, drained, others } = await three(t, '0.1');
    await drained.drain();
    await agree(servers, { online: others, offline: [drained] });
    await during(3_000, async () => {
      for (const server of servers) {
        const { online, offline } = await server.view();
        assert.ok(!online.includes(drained.baseUrl), `${server.baseUrl} lists it online`);
        assert.deepEqual(offline, [drained.baseUrl]);
      }
    });
    await drained.undrain();
    await agree(servers, { online: servers });
  });

  test('a drain and its end are known to the others at once, not a round later', async (t) => {
    // The next round is half a minute away.
    const { servers, drained, others } = await three(t, '30');
    await drained.drain();
    await agree(servers, { online: others, offline: [drained] }, { timeout: 2_000 });
    await drained.undrain();
    await agree(servers, { online: servers }, { timeout: 2_000 });
  });

  test('a drained server goes on answering gossip', async (t) => {
    const { drained } = await three(t, '0.3');
    await drained.drain();
    const { status, json } = await gossip(drained.baseUrl, message());
    assert.equal(status, 200);
    assert.equal(json.message, 'gossip');
    assert.ok(json.offline.some((/** @type {any} */ entry) => entry.baseUrl === drained.baseUrl));
    assert.ok(!json.online.some((/** @type {any} */ entry) => entry.baseUrl === drained.baseUrl));
  });

  test('a drained server learns of a server that joins, and the joiner learns that it is drained', async (t) => {
    const { servers, drained, others, env } = await three(t, '0.3');
    await drained.drain();
    await agree(servers, { online: others, offline: [drained] });
    const joiner = await startServer(t, { env });
    await agree([...servers, joiner], { online: [...others, joiner], offline: [drained] });
  });

  test('a drain twice over is one drain, and one undrain ends it', async (t) => {
    const { servers, drained, others } = await three(t, '0.3');
    await drained.drain();
    await drained.drain();
    await agree(servers, { online: others, offline: [drained] });
    await drained.undrain();
    await agree(servers, { online: servers });
  });

  test('a start puts a drained server online again', async (t) => {
    const { servers, drained, others } = await three(t, '0.3');
    await drained.drain();
    await agree(servers, { online: others, offline: [drained] });
    await drained.terminate();
    await drained.restart();
    await agree(servers, { online: servers });
  });

  test('a drained server that is killed stays offline, and comes back with its next start', async (t) => {
    const { servers, drained, others } = await three(t, '0.3');
    await drained.drain();
    await agree(servers, { online: others, offline: [drained] });
    await drained.kill();
    await during(2_000, async () => {
      for (const server of others) assert.deepEqual((await server.view()).offline, [drained.baseUrl]);
    });
    await drained.restart();
    await agree(servers, { online: servers });
  });

  test('a control request with another secret is refused and drains nothing', async (t) => {
    const { servers, drained } = await three(t, '0.3');
    const { status, json } = await drained.control(false, 'the-gossip-secret');
    assert.equal(status, 401);
    assert.deepEqual(json, { error: 'Unauthorized: Invalid SHAZBOT_CONTROL_SECRET' });
    await agree(servers, { online: servers });
  });
});
