'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { SECRET, acquainted, agree, fileList, startServers, urls } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { nobody } = require('../harness/fake-peer.js');
const { entry, message } = require('../harness/gossip.js');
const { until } = require('../harness/until.js');

const STALL = 60_000;
const HOUR = 60 * 60 * 1000;

describe('what takes a minute', { concurrency: true }, () => {
  test('a server whose event loop stands still for a minute is listed offline by the others and comes back', async (t) => {
    const servers = await startServers(t, 3, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '1' } });
    await agree(servers, { online: servers });
    await acquainted(servers);
    const [stalled, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);

    const since = Date.now();
    await stalled.block(STALL);
    // A probe takes 5 s to fail, twice: whatever else the engine does, its own threads must not vouch for it.
    await agree(
      others,
      { online: others, offline: [stalled] },
      { timeout: 30_000, what: 'the stalled server is offline' },
    );
    await until(async () => (await stalled.view()) !== undefined, { timeout: STALL, what: 'it answers again' });
    t.diagnostic(`it stood still for ${Date.now() - since} ms`);
    await agree(servers, { online: servers }, { what: 'it is online again, and so are the others in its own list' });
  });

  test('a process that is stopped and continued is listed offline and comes back', async (t) => {
    const servers = await startServers(t, 3, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '1' } });
    await agree(servers, { online: servers });
    await acquainted(servers);
    const [stopped, ...others] = /** @type {[typeof servers[0], ...typeof servers]} */ (servers);

    stopped.signal('SIGSTOP');
    await agree(
      others,
      { online: others, offline: [stopped] },
      { timeout: 30_000, what: 'the stopped server is offline' },
    );
    stopped.signal('SIGCONT');
    await agree(servers, { online: servers }, { what: 'it is online again' });
  });

  test('an offline server is forgotten 24 hours after its last stamp (16)', async (t) => {
    const engine = await startEngine(t);
    const old = await nobody();
    const older = await nobody();
    const told = [entry(old, 24 * HOUR - 2_000), entry(older, 24 * HOUR + 1_000)];
    await engine.shazbotGossipRequest(SECRET, message([], told));
    const offline = () => urls(engine.shazbotGetServerList(true).offline ?? []);
    assert.deepEqual(offline(), [old]);
    // What has expired is looked for once a minute.
    await until(() => offline().length === 0, { timeout: 70_000, every: 500, what: 'it is forgotten' });
  });
});
