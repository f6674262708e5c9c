'use strict';

// Protocol 2 servers and version 1 peers in one cluster, as in a fleet that is upgraded one server at a time.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { untilGossiped, agree, startServer, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { gossip, listedEntry, message } = require('../harness/gossip.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/** @typedef {import('node:test').TestContext} TestContext */
/** @typedef {Awaited<ReturnType<typeof startServer>>} TestServer */

/**
 * Starts three protocol 2 servers and a version 1 peer, which all list each other.
 *
 * @param {TestContext} t
 */
async function startMixed(t) {
  const store = await startStore(t);
  const v2 = await startServers(t, 3, { env: store.env });
  // A version 1 peer that starts with a list without these servers would not find them until its next announcement.
  await until(() => store.servers().length === 3, { what: 'the protocol 2 servers are in the master list' });
  const peer = await startServer(t, { env: store.env, engine: 'v1' });
  const all = [...v2, peer];
  await agree(all, { online: all }, { what: 'all four servers list each other' });
  await untilGossiped(all);
  const [one, two, three] = /** @type {[TestServer, TestServer, TestServer]} */ (v2);
  return { store, v2, one, two, three, peer, all };
}

/**
 * Asserts that each server lists exactly `offline` as offline.
 *
 * @param {TestServer[]} servers
 * @param {TestServer} offline
 */
async function assertOffline(servers, offline) {
  for (const server of servers) assert.deepEqual((await server.view()).offline, [offline.baseUrl]);
}

describe('in a cluster of version 1 and protocol 2 servers', { concurrency: 3 }, () => {
  test('a killed version 1 peer is listed offline until it is restarted', async (t) => {
    const { v2, peer, all } = await startMixed(t);
    await peer.kill();
    await agree(v2, { online: v2, offline: [peer] });
    await during(2_000, () => assertOffline(v2, peer));
    await peer.restart();
    await agree(all, { online: all });
  });

  test('a killed version 1 peer stays offline although another version 1 peer still lists it online', async (t) => {
    const { v2, peer, store } = await startMixed(t);
    const survivor = await startServer(t, { env: store.env, engine: 'v1' });
    await agree(v2, { online: [...v2, survivor, peer] });
    await untilGossiped([survivor]);
    const stale = await listedEntry(survivor.baseUrl, peer.baseUrl);
    await peer.kill();
    await agree(v2, { online: [...v2, survivor], offline: [peer] });
    await during(3_000, async () => {
      await gossip(survivor.baseUrl, message([stale.online]));
      await assertOffline(v2, peer);
    });
  });

  test('a version 1 peer that leaves is listed offline until it is restarted', async (t) => {
    const { v2, peer, all } = await startMixed(t);
    await peer.terminate();
    await agree(v2, { online: v2, offline: [peer] });
    await peer.restart();
    await agree(all, { online: all });
  });

  test('a drained version 1 peer is listed offline until it is undrained', async (t) => {
    const { v2, peer, all } = await startMixed(t);
    await peer.drain();
    await agree(v2, { online: v2, offline: [peer] });
    await during(2_000, () => assertOffline(v2, peer));
    await peer.undrain();
    await agree(all, { online: all });
  });

  test('a version 1 peer lists a protocol 2 server offline that was killed, was drained or left', async (t) => {
    const { v2, one, two, three, peer, all } = await startMixed(t);
    await one.kill();
    await agree([two, three, peer], { online: [two, three, peer], offline: [one] });
    await one.restart();
    await agree(all, { online: all });

    await two.drain();
    await agree(all, { online: [one, three, peer], offline: [two] });
    await during(2_000, () => assertOffline(v2, two));
    await two.undrain();
    await agree(all, { online: all });

    await three.terminate();
    await agree([one, two, peer], { online: [one, two, peer], offline: [three] });
  });

  test('the answer to a version 1 message has only the top-level fields of version 1', async (t) => {
    const { one } = await startMixed(t);
    const { json } = await gossip(one.baseUrl, message());
    assert.deepEqual(Object.keys(json).sort(), ['message', 'offline', 'online']);
  });

  test('a version 1 peer passes on the shazbot field of an entry unchanged', async (t) => {
    const { v2, one, peer, store } = await startMixed(t);
    const own = (await listedEntry(one.baseUrl, one.baseUrl)).online;
    const carried = (await listedEntry(peer.baseUrl, one.baseUrl)).online;
    assert.equal(typeof own.shazbot, 'string');
    assert.equal(carried.shazbot, own.shazbot);

    // The new server can only ask the version 1 peer, because the others are stopped.
    for (const server of v2) server.signal('SIGSTOP');
    try {
      store.list = { online: [(await listedEntry(peer.baseUrl, peer.baseUrl)).online] };
      store.faults.PUT = '500';
      const joiner = await startServer(t, { env: { ...store.env, SHAZBOT_GOSSIP_INTERVAL: '3600' }, wait: false });
      const learned = await until(async () => (await listedEntry(joiner.baseUrl, one.baseUrl)).online, {
        timeout: 4_000,
        what: 'the new server has the entry from the version 1 peer',
      });
      assert.equal(learned.shazbot, own.shazbot);
    } finally {
      for (const server of v2) server.signal('SIGCONT');
    }
  });

  test('a drained server stays offline when an older incarnation arrives with a newer lastUpdate', async (t) => {
    const { v2, one, two, three, peer } = await startMixed(t);
    const before = (await listedEntry(two.baseUrl, one.baseUrl)).online;
    await one.drain();
    await agree(v2, { online: [two, three, peer], offline: [one] });
    await gossip(two.baseUrl, message([{ ...before, lastUpdate: Date.now() + 60_000 }]));
    await during(2_000, () => assertOffline(v2, one));
  });

  test('a protocol 2 server refutes a false report of its death and is online in every list', async (t) => {
    const { one, two, all } = await startMixed(t);
    const held = (await listedEntry(two.baseUrl, one.baseUrl)).online;
    // What a version 1 peer sends after a failed probe: the unchanged entry, with the current time as lastUpdate.
    await gossip(two.baseUrl, message([], [{ ...held, lastUpdate: Date.now() + 1 }]));
    await until(async () => (await listedEntry(two.baseUrl, one.baseUrl)).online?.lastUpdate > held.lastUpdate, {
      what: 'the server is online with a newer lastUpdate',
    });
    await agree(all, { online: all });
  });
});
