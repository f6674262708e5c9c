'use strict';

// Tests that take a minute: stalled event loops, stopped processes, expiry of offline servers.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { fastClock } = require('./support/clock.js');
const { SECRET, untilGossiped, agree, fileList, startServers, urls } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { unusedUrl } = require('../harness/fake-peer.js');
const { entry, message } = require('../harness/gossip.js');
const { until } = require('../harness/until.js');

const SPEED = 5;
const CLOCK = { ...fastClock(SPEED), SHAZBOT_GOSSIP_INTERVAL: '2.5' };
/** A minute for the engine, ms. */
const STALL = 60_000 / SPEED;
const HOUR = 60 * 60 * 1000;

/**
 * Starts three servers that know each other.
 *
 * @param {import('node:test').TestContext} t
 */
async function startThree(t) {
  const servers = await startServers(t, 3, { env: { ...fileList().env, ...CLOCK } });
  await agree(servers, { online: servers });
  await untilGossiped(servers);
  return /** @type {[typeof servers[0], ...typeof servers]} */ (servers);
}

describe('within a minute', { concurrency: true }, () => {
  test('a server whose event loop is blocked for a minute is listed offline, and comes back', async (t) => {
    const servers = await startThree(t);
    const [stalled, ...others] = servers;

    const since = Date.now();
    await stalled.block(STALL);
    // The engine's own thread must not answer them while the event loop is blocked.
    await agree(
      others,
      { online: others, offline: [stalled] },
      { timeout: 30_000, what: 'the stalled server is offline' },
    );
    await until(async () => (await stalled.view()) !== undefined, { timeout: STALL, what: 'the server answers again' });
    t.diagnostic(`the event loop was blocked for ${Date.now() - since} ms`);
    await agree(servers, { online: servers }, { what: 'all three servers list each other online again' });
  });

  test('a process that is stopped and continued is listed offline, and comes back', async (t) => {
    const servers = await startThree(t);
    const [stopped, ...others] = servers;

    stopped.signal('SIGSTOP');
    await agree(
      others,
      { online: others, offline: [stopped] },
      { timeout: 30_000, what: 'the stopped server is offline' },
    );
    stopped.signal('SIGCONT');
    await agree(servers, { online: servers }, { what: 'the continued server is online again' });
  });

  test('an offline server is removed 24 hours after its lastUpdate', async (t) => {
    const engine = await startEngine(t, fastClock(SPEED));
    const expiring = await unusedUrl();
    const expired = await unusedUrl();
    const entries = [entry(expiring, 24 * HOUR - 20_000), entry(expired, 24 * HOUR + 1_000)];
    await engine.shazbotGossipRequest(SECRET, message([], entries));
    const offline = () => urls(engine.shazbotGetServerList(true).offline ?? []);
    assert.deepEqual(offline(), [expiring]);
    // The engine removes expired servers once a minute.
    await until(() => offline().length === 0, { timeout: 70_000, every: 500, what: 'the server is removed' });
  });
});
