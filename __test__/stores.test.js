'use strict';

// The master list on real stores. Each is started here, on a loopback port.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { join } = require('node:path');
const { describe, test } = require('node:test');

const { acquainted, agree, startServers } = require('../harness/cluster.js');
const { STORES, missing, startRealStore } = require('./support/stores.js');
const { until } = require('../harness/until.js');

// A short form in every run, the whole of it before a release. An update is a read, a join, and a write where that differs.
const UPDATES = Number(process.env.SHAZBOT_TEST_UPDATES ?? 20);
const RACES = Number(process.env.SHAZBOT_TEST_RACES ?? 100);
const ANNOUNCE = { SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '0.1', SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '0.1' };

for (const name of STORES) {
  describe(name, { skip: missing(name) }, () => {
    test(`ten processes and ${UPDATES} updates each, with joins and leaves: the living are in the list, and nobody else`, async (t) => {
      const store = await startRealStore(t, name);
      const env = { ...store.env, ...ANNOUNCE, SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN: 'true' };
      const servers = await startServers(t, 10, { env });
      await agree(servers, { online: servers });
      // Each turn takes some out and others in, so that there is always something to write.
      for (let turn = 0; store.count('GET') < 10 * UPDATES; turn++) {
        const [drained, left, killed] = [0, 3, 6].map((place) => servers[(turn + place) % 10]);
        await Promise.all([drained?.drain(), left?.terminate(), killed?.kill()]);
        await new Promise((resolve) => setTimeout(resolve, 300));
        await Promise.all([drained?.undrain(), left?.restart(), killed?.restart()]);
      }
      const last = /** @type {typeof servers[0]} */ (servers[9]);
      await agree(servers, { online: servers });
      await acquainted([last]);
      await last.kill();
      const living = servers.slice(0, 9);
      await agree(living, { online: living, offline: [last] });
      const expected = living.map(({ baseUrl }) => baseUrl).sort();
      await until(async () => assert.deepEqual(await store.servers(), expected) === undefined, {
        what: 'the list is right',
      });
      const [written, refused] = [store.count('PUT', 200, 201, 204), store.count('PUT', 409, 412)];
      t.diagnostic(
        `${store.count('GET')} reads (304: ${store.count('GET', 304)}), ${written} writes, ${refused} too late`,
      );
      assert.equal(
        store.count('PUT') - written - refused,
        0,
        JSON.stringify(store.calls.filter(({ status }) => status >= 400)),
      );
      if (store.refuses) {
        const bare = store.calls.filter(({ method, condition }) => method === 'PUT' && condition === undefined);
        assert.deepEqual(bare, [], 'nothing is written without a condition');
      }
      // Where the list is right nobody writes.
      const before = store.count('PUT');
      const reads = store.count('GET');
      await until(() => store.count('GET') >= reads + 50, { what: 'it is read' });
      assert.ok(store.count('PUT') <= before + 1, `${store.count('PUT') - before} writes of a list that is right`);
    });

    test(`of ${RACES} races of two writers none loses either`, async (t) => {
      const store = await startRealStore(t, name);
      const { status, output } = await race({ ...store.env, SHAZBOT_TEST_RACES: String(RACES) });
      assert.equal(status, 0, output);
      assert.match(output, /1 passed/);
      t.diagnostic(`${store.count('PUT')} writes, ${store.count('PUT', 409, 412)} too late`);
      if (store.refuses) assert.ok(store.count('PUT', 409, 412) > 0, 'some were too late');
    });
  });
}

/** @param {Record<string, string>} env */
function race(env) {
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
