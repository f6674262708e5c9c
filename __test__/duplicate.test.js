'use strict';

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
  for (const [others, beside] of /** @type {const} */ ([
    ['beside another server', {}],
    ['beside one of version 1', { engine: 'v1' }],
    ['with nobody else', undefined],
  ])) {
    test(`the workers of node:cluster ${others} say it, once each, and what to do`, (t) => workers(t, beside));
  }

  /**
   * @param {import('node:test').TestContext} t
   * @param {Parameters<typeof startServer>[1] | undefined} beside a server that is none of them
   */
  async function workers(t, beside) {
    const list = await startStore(t);
    if (beside) await startServer(t, { ...beside, env: list.env });
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
    const said = () => errors.match(/SHAZBOT_DUPLICATE_BASE_URL.*EXAMPLES\.md has how with node:cluster/g)?.length;
    await until(() => said() === 3, { timeout: 60_000, what: 'each of the three has warned' });
    await during(2_000, () => assert.equal(said(), 3));
  }
});
