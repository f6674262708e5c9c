'use strict';

// Processes that share one base URL warn about it.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const path = require('node:path');
const { describe, test } = require('node:test');

const { environment, startServer } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { freePorts } = require('../harness/ports.js');
const { root } = require('./support/programs.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

const WORKER = path.join(root, '__test__', 'apps', 'plain', 'server.cjs');

describe('processes with one base URL', { concurrency: true }, () => {
  for (const [situation, other] of /** @type {const} */ ([
    ['next to another server', {}],
    ['next to a version 1 server', { engine: 'v1' }],
    ['without other servers', undefined],
  ])) {
    test(`each of three node:cluster workers warns once and names the solution, ${situation}`, (t) =>
      workers(t, other));
  }

  /**
   * @param {import('node:test').TestContext} t
   * @param {Parameters<typeof startServer>[1] | undefined} other options of a server with a base URL of its own
   */
  async function workers(t, other) {
    const list = await startStore(t);
    if (other) await startServer(t, { ...other, env: list.env });
    const [port] = await freePorts(1);
    const program = `
        const cluster = require('node:cluster');
        cluster.setupPrimary({ exec: ${JSON.stringify(WORKER)}, execArgv: [] });
        for (let count = 0; count < 3; count++) cluster.fork();
      `;
    const env = { ...process.env, ...environment(`http://127.0.0.1:${port}/`), ...list.env, PORT: String(port) };
    const primary = spawn(process.execPath, ['-e', program], { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] });
    t.after(() => primary.kill());
    let errors = '';
    primary.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    const said = () =>
      errors.match(/SHAZBOT_DUPLICATE_BASE_URL.*docs\/production\.md shows how with node:cluster/g)?.length;
    await until(() => said() === 3, { timeout: 60_000, what: 'each of the three has warned' });
    await during(2_000, () => assert.equal(said(), 3));
  }
});
