'use strict';

// The master list on real stores, each started here on a loopback port: concurrent writers lose no entry.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { join } = require('node:path');
const { describe, test } = require('node:test');

const { untilGossiped, agree, startServers } = require('../harness/cluster.js');
const { STORES, missing, startRealStore } = require('./support/stores.js');
const { until } = require('../harness/until.js');

// A few in every run, more before a release. An update is a read, followed by a write if the list must change.
const UPDATES = Number(process.env.SHAZBOT_TEST_UPDATES ?? 20);
const RACES = Number(process.env.SHAZBOT_TEST_RACES ?? 100);
const ANNOUNCE = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '0.1', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '0.1' };

for (const name of STORES) {
  describe(name, { skip: missing(name) }, () => {
    test(`the list names exactly the online servers after ${UPDATES} updates by each of ten servers that come and go`, async (t) => {
      const store = await startRealStore(t, name);
      const env = { ...store.env, ...ANNOUNCE, SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN: 'true' };
      const servers = await startServers(t, 10, { env });
      await agree(servers, { online: servers });
      // Each turn changes who is online, so that there is always something to write.
      for (let turn = 0; store.count('GET') < 10 * UPDATES; turn++) {
        const [drained, left, killed] = [0, 3, 6].map((place) => servers[(turn + place) % 10]);
        await Promise.all([drained?.drain(), left?.terminate(), killed?.kill()]);
        // Each server reads the list every 0.1 s, so the others see these three missing and write.
        await new Promise((resolve) => setTimeout(resolve, 300));
        await Promise.all([drained?.undrain(), left?.restart(), killed?.restart()]);
      }
      const last = /** @type {typeof servers[0]} */ (servers[9]);
      await agree(servers, { online: servers });
      await untilGossiped([last]);
      await last.kill();
      const online = servers.slice(0, 9);
      await agree(online, { online, offline: [last] });
      const expected = online.map(({ baseUrl }) => baseUrl).sort();
      await until(async () => assert.deepEqual(await store.servers(), expected) === undefined, {
        what: 'the list names the online servers',
      });
      const [written, conflicts] = [store.count('PUT', 200, 201, 204), store.count('PUT', 409, 412)];
      t.diagnostic(
        `${store.count('GET')} reads (304: ${store.count('GET', 304)}), ${written} writes, ${conflicts} conflicts`,
      );
      assert.equal(
        store.count('PUT') - written - conflicts,
        0,
        JSON.stringify(store.calls.filter(({ status }) => status >= 400)),
      );
      if (store.refuses) {
        const unconditional = store.calls.filter(
          ({ method, condition }) => method === 'PUT' && condition === undefined,
        );
        assert.deepEqual(unconditional, [], 'every write has a condition');
      }
      // A list that is right is not written again.
      const before = store.count('PUT');
      const reads = store.count('GET');
      await until(() => store.count('GET') >= reads + 50, { what: 'the list is read 50 more times' });
      assert.ok(store.count('PUT') <= before + 1, `${store.count('PUT') - before} writes of a list that is right`);
    });

    test(`two servers that write at the same time are both in the list, in ${RACES} races`, async (t) => {
      const store = await startRealStore(t, name);
      const { status, output } = await runRaces({ ...store.env, SHAZBOT_TEST_RACES: String(RACES) });
      assert.equal(status, 0, output);
      assert.match(output, /1 passed/);
      t.diagnostic(`${store.count('PUT')} writes, ${store.count('PUT', 409, 412)} conflicts`);
      if (store.refuses) assert.ok(store.count('PUT', 409, 412) > 0, 'some writes conflicted');
    });
  });
}

/**
 * Runs the races of the Rust engine (src/engine/races.rs) on the store of `env`.
 *
 * @param {Record<string, string>} env
 */
function runRaces(env) {
  const args = [
    'test',
    '--quiet',
    '--no-default-features',
    '--features',
    'engine',
    '--lib',
    '--',
    '--ignored',
    'races',
  ];
  const child = spawn('cargo', args, { cwd: join(__dirname, '..'), env: { ...process.env, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, output })));
}
