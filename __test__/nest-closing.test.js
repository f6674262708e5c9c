'use strict';

// A Nest application that closes while it starts, or that cannot listen, leaves no engine running.

const assert = require('node:assert/strict');
const { existsSync } = require('node:fs');
const { before, describe, test } = require('node:test');

const { environment, fileList, startServer } = require('../harness/cluster.js');
const { until } = require('../harness/until.js');
const { compileNest } = require('./support/nest.js');
const { runToEnd, startProgram } = require('./support/programs.js');

const NOT_STARTED = 'Clustershazbot engine not started';

describe('the Nest module', () => {
  let main = '';
  before(() => {
    main = compileNest('nest-closing');
  });

  for (const name of ['closed before the start', 'closed during the start']) {
    test(`leaves no engine running if the application is ${name}`, async () => {
      const env = { ...environment('http://127.0.0.1:9/'), ...fileList().env, CASE: name };
      const { code, stdout, stderr } = await runToEnd([main], { env });
      assert.deepEqual([code, stdout.trim()], [0, NOT_STARTED], stderr);
    });
  }

  test('leaves the cluster if the application cannot listen', async (t) => {
    const { env, file } = fileList();
    const other = await startServer(t, { env });
    // Otherwise the application may read the list before the other server has added itself.
    await until(() => existsSync(file), { what: 'the other server is in the list' });
    const server = await startProgram(t, [main], { env: { ...env, CASE: 'cannot listen' }, wait: false });
    await until(() => server.stdout.includes(`EADDRINUSE\n`), { what: 'it fails to listen' });
    await until(() => server.stdout.endsWith(`${NOT_STARTED}\n`), { what: 'the engine ends' });
    assert.match(server.stdout, /^started, 2 online\n/);
    const isOffline = async () => (await other.view()).offline.includes(server.baseUrl);
    await until(isOffline, { timeout: 2_000, what: 'it is listed offline' });
    const { members } = await other.order('call', 'shazbotStatus');
    assert.equal(members.find((/** @type {any} */ { baseUrl }) => baseUrl === server.baseUrl)?.reason, 'left');
    const types = other.events.filter(({ baseUrl }) => baseUrl === server.baseUrl).map(({ type }) => type);
    assert.deepEqual(types, [], 'nobody could reach it, so it was never listed online');
  });

  test('does not keep the error from ending the process if the application cannot listen', async (t) => {
    const server = await startProgram(t, [main], { env: { ...fileList().env, CASE: 'fails' }, wait: false });
    assert.equal((await server.ended()).code, 1);
    assert.match(server.stderr, /EADDRINUSE/);
  });
});
