'use strict';

// A drained server is offline everywhere, keeps gossiping, and comes back when it is undrained or restarted.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { gossip, message } = require('../harness/gossip.js');

/** @typedef {import('node:test').TestContext} TestContext */

/**
 * Starts three servers, of which the test drains the first.
 *
 * @param {TestContext} t
 * @param {string} interval in seconds
 */
async function startThree(t, interval) {
  const { env } = fileList();
  const servers = await startServers(t, 3, { env: { ...env, SHAZBOT_GOSSIP_INTERVAL: interval } });
  await agree(servers, { online: servers });
  const [drained, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
  return { servers, drained, others, env };
}

/**
 * Starts three servers and drains the first, which is then offline in every list.
 *
 * @param {TestContext} t
 * @param {string} [interval] in seconds
 */
async function startDrained(t, interval = '0.3') {
  const cluster = await startThree(t, interval);
  const { servers, drained, others } = cluster;
  await drained.drain();
  await agree(servers, { online: others, offline: [drained] });
  return cluster;
}

describe('a drain', { concurrency: 2 }, () => {
  test('a drained server stays offline in every list, including its own, through many gossip rounds', async (t) => {
    const { servers, drained } = await startDrained(t, '0.1');
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

  test('the others learn of a drain and of its end at once, without waiting for a round', async (t) => {
    // The next round is half a minute away.
    const { servers, drained, others } = await startThree(t, '30');
    await drained.drain();
    await agree(servers, { online: others, offline: [drained] }, { timeout: 2_000 });
    await drained.undrain();
    await agree(servers, { online: servers }, { timeout: 2_000 });
  });

  test('a drained server goes on answering gossip', async (t) => {
    const { drained } = await startThree(t, '0.3');
    await drained.drain();
    const { status, json } = await gossip(drained.baseUrl, message());
    assert.equal(status, 200);
    assert.equal(json.message, 'gossip');
    assert.ok(json.offline.some((/** @type {any} */ entry) => entry.baseUrl === drained.baseUrl));
    assert.ok(!json.online.some((/** @type {any} */ entry) => entry.baseUrl === drained.baseUrl));
  });

  test('a drained server learns of a new server, and the new server learns of the drain', async (t) => {
    const { servers, drained, others, env } = await startDrained(t);
    const newcomer = await startServer(t, { env });
    await agree([...servers, newcomer], { online: [...others, newcomer], offline: [drained] });
  });

  test('a server that was drained twice is online after one undrain', async (t) => {
    const { servers, drained, others } = await startThree(t, '0.3');
    await drained.drain();
    await drained.drain();
    await agree(servers, { online: others, offline: [drained] });
    await drained.undrain();
    await agree(servers, { online: servers });
  });

  test('a drained server is online again after a restart', async (t) => {
    const { servers, drained } = await startDrained(t);
    await drained.terminate();
    await drained.restart();
    await agree(servers, { online: servers });
  });

  test('a drained server that is killed stays offline, and is online again after its next start', async (t) => {
    const { servers, drained, others } = await startDrained(t);
    await drained.kill();
    await during(2_000, async () => {
      for (const server of others) assert.deepEqual((await server.view()).offline, [drained.baseUrl]);
    });
    await drained.restart();
    await agree(servers, { online: servers });
  });
});
