'use strict';

// A process that is started with the base URL of another one that runs, as a test with the .env of a developer's server.

const assert = require('node:assert/strict');
const path = require('node:path');
const { describe, test } = require('node:test');

const { agree, environment, fileList, startServer } = require('../harness/cluster.js');
const { root, runToEnd } = require('./support/programs.js');

const PROGRAM = `
  const { setTimeout } = require('node:timers/promises');
  const shazbot = require(${JSON.stringify(path.join(root, 'index.js'))});
  (async () => {
    await shazbot.shazbotStart();
    await setTimeout(Number(process.env.STAY));
    console.log(shazbot.shazbotGetServerList().online.length);
    await shazbot.shazbotShutDown({ drainFor: Number(process.env.DRAIN) });
  })();
`;

describe('a second process with the base URL of a running server', { concurrency: true }, () => {
  for (const [name, STAY, DRAIN] of [
    ['that ends at once', '0', '0'],
    ['that runs for a few seconds', '4000', '0'],
    ['that drains before it leaves', '500', '500'],
  ]) {
    test(`leaves it listed online by all, ${name}`, async (t) => {
      const { env } = fileList();
      const servers = await Promise.all([1, 2, 3].map(() => startServer(t, { env })));
      const [first] = /** @type {[typeof servers[0]]} */ (servers);
      await agree(servers, { online: servers });
      const variables = { ...environment(first.baseUrl), ...env, STAY: String(STAY), DRAIN: String(DRAIN) };
      for (const server of servers) server.events.length = 0;
      const { code, stdout, stderr } = await runToEnd(['-e', PROGRAM], { env: variables });
      assert.deepEqual([code, stdout.trim()], [0, '3'], stderr);
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      await agree(servers, { online: servers });
      const told = servers.flatMap(({ events }) => events.map(({ type, baseUrl }) => `${type} ${baseUrl}`));
      assert.deepEqual(
        told.filter((it) => !it.startsWith('tags')),
        [],
        'nobody listed it offline meanwhile',
      );
    });
  }
});
