'use strict';

// The metrics with prom-client 14, the oldest version that is supported. metrics.test.js tests the newest.

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');

const { projectOf, runToEnd, tsc, write } = require('./support/programs.js');

test('the metrics work, and their types compile, with prom-client 14', async () => {
  const directory = projectOf('prom-client-14', 'express4');
  const program = `
    import { Registry } from 'prom-client';
    import { shazbotMetrics } from 'clustershazbot/prometheus';
    import { createFakeCluster } from 'clustershazbot/testing';
    createFakeCluster({ online: ['http://a/', 'http://b/'] });
    const register = new Registry();
    shazbotMetrics({ register });
    shazbotMetrics();
    register.metrics().then((text) => console.log(text));
  `;
  const compilerOptions = { strict: true, module: 'nodenext', types: ['node'], skipLibCheck: false, lib: ['ES2023'] };
  write(directory, {
    'package.json': { type: 'commonjs' },
    'tsconfig.json': { compilerOptions, files: ['program.ts'] },
    'program.ts': program,
  });
  assert.equal(await tsc(directory), '');
  const { version } = require(path.join(directory, 'node_modules/prom-client/package.json'));
  assert.match(version, /^14\./);
  const { stdout, stderr } = await runToEnd([path.join(directory, 'program.js')]);
  assert.match(stdout, /^clustershazbot_members\{state="online"\} 2$/m, stderr);
});
