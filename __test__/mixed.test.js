'use strict';

// Servers of ours in one cluster with version 1 peers, as a fleet is while it is upgraded one server at a time.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { acquainted, agree, startServer, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { gossip, heldOf, message } = require('../harness/gossip.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/** @typedef {import('node:test').TestContext} TestContext */
/** @typedef {Awaited<ReturnType<typeof startServer>>} TestServer */

/**
 * Three servers of ours and a version 1 peer, which all know each other.
 *
 * @param {TestContext} t
 */
async function mixed(t) {
  const store = await startStore(t);
  const ours = await startServers(t, 3, { env: store.env });
  // A version 1 peer that starts with a list in which they are not would stay apart until its next announcement.
  await until(() => store.servers().length === 3, { what: 'ours are in the master list' });
  const peer = await startServer(t, { env: store.env, engine: 'v1' });
  const all = [...ours, peer];
  await agree(all, { online: all }, { what: 'ours list the version 1 peer, and it lists ours' });
  await acquainted(all);
  const [one, two, three] = /** @type {[TestServer, TestServer, TestServer]} */ (ours);
  return { store, ours, one, two, three, peer, all };
}

describe('a mixed cluster', { concurrency: 3 }, () => {
  test('a version 1 peer that is killed is offline with ours, stays so, and comes back when it is restarted', async (t) => {
    const { ours, peer, all } = await mixed(t);
    await peer.kill();
    await agree(ours, { online: ours, offline: [peer] });
    await during(2_000, async () => {
      for (const server of ours) assert.deepEqual((await server.view()).offline, [peer.baseUrl]);
    });
    await peer.restart();
    await agree(all, { online: all });
  });

  test('a killed version 1 peer stays offline with ours although another one goes on calling it online', async (t) => {
    const { ours, peer, store } = await mixed(t);
    const survivor = await startServer(t, { env: store.env, engine: 'v1' });
    await agree(ours, { online: [...ours, survivor, peer] });
    await acquainted([survivor]);
    const stale = await heldOf(survivor.baseUrl, peer.baseUrl);
    await peer.kill();
    await agree(ours, { online: [...ours, survivor], offline: [peer] });
    await during(3_000, async () => {
      await gossip(survivor.baseUrl, message([stale.online]));
      for (const server of ours) assert.deepEqual((await server.view()).offline, [peer.baseUrl]);
    });
  });

  test('a version 1 peer that leaves is offline with ours', async (t) => {
    const { ours, peer, all } = await mixed(t);
    await peer.terminate();
    await agree(ours, { online: ours, offline: [peer] });
    await peer.restart();
    await agree(all, { online: all });
  });

  test('a version 1 peer that is drained is offline with ours until it is undrained', async (t) => {
    const { ours, peer, all } = await mixed(t);
    await peer.drain();
    await agree(ours, { online: ours, offline: [peer] });
    await during(2_000, async () => {
      for (const server of ours) assert.deepEqual((await server.view()).offline, [peer.baseUrl]);
    });
    await peer.undrain();
    await agree(all, { online: all });
  });

  test('a server of ours that is killed, or drained, is so in the lists of a version 1 peer too', async (t) => {
    const { ours, one, two, three, peer, all } = await mixed(t);
    await one.kill();
    await agree([two, three, peer], { online: [two, three, peer], offline: [one] });
    await one.restart();
    await agree(all, { online: all });

    await two.drain();
    await agree(all, { online: [one, three, peer], offline: [two] });
    await during(2_000, async () => {
      for (const server of ours) assert.deepEqual((await server.view()).offline, [two.baseUrl]);
    });
    await two.undrain();
    await agree(all, { online: all });

    await three.terminate();
    await agree([one, two, peer], { online: [one, two, peer], offline: [three] });
  });

  test('a version 1 peer is answered without a field at the top level that it would not know', async (t) => {
    const { one } = await mixed(t);
    const { json } = await gossip(one.baseUrl, message());
    assert.deepEqual(Object.keys(json).sort(), ['message', 'offline', 'online']);
  });

  test("what only our servers know of a server crosses a version 1 peer's hands unchanged", async (t) => {
    const { ours, one, peer, store } = await mixed(t);
    const own = (await heldOf(one.baseUrl, one.baseUrl)).online;
    const carried = (await heldOf(peer.baseUrl, one.baseUrl)).online;
    assert.equal(typeof own.shazbot, 'string');
    assert.equal(carried.shazbot, own.shazbot);

    // A joiner that can only ask the version 1 peer: the others stand still.
    for (const server of ours) server.signal('SIGSTOP');
    try {
      store.list = { online: [(await heldOf(peer.baseUrl, peer.baseUrl)).online] };
      store.faults.PUT = '500';
      const joiner = await startServer(t, { env: { ...store.env, SHAZBOT_GOSSIP_INTERVAL: '3600' }, wait: false });
      const learned = await until(async () => (await heldOf(joiner.baseUrl, one.baseUrl)).online, {
        timeout: 4_000,
        what: 'the joiner has learned of the server from the version 1 peer',
      });
      assert.equal(learned.shazbot, own.shazbot);
    } finally {
      for (const server of ours) server.signal('SIGCONT');
    }
  });

  test('a drain outlives an older life of the server that arrives with a newer stamp', async (t) => {
    const { ours, one, two, three, peer } = await mixed(t);
    const before = (await heldOf(two.baseUrl, one.baseUrl)).online;
    await one.drain();
    await agree(ours, { online: [two, three, peer], offline: [one] });
    await gossip(two.baseUrl, message([{ ...before, lastUpdate: Date.now() + 60_000 }]));
    await during(2_000, async () => {
      for (const server of ours) assert.deepEqual((await server.view()).offline, [one.baseUrl]);
    });
  });

  test('a server of ours that is called dead by mistake answers, and is online everywhere', async (t) => {
    const { one, two, all } = await mixed(t);
    const held = (await heldOf(two.baseUrl, one.baseUrl)).online;
    // As a version 1 peer puts it whose probe failed: the entry as it is, stamped now.
    await gossip(two.baseUrl, message([], [{ ...held, lastUpdate: Date.now() + 1 }]));
    await until(async () => (await heldOf(two.baseUrl, one.baseUrl)).online?.lastUpdate > held.lastUpdate, {
      what: 'it is online with a newer stamp',
    });
    await agree(all, { online: all });
  });
});
