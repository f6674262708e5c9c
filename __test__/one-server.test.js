'use strict';

// Jobs that one server of the cluster runs: @OnOneServer of clustershazbot/nestjs, and clustershazbot/node-cron.

const assert = require('node:assert/strict');
const path = require('node:path');
const { describe, test } = require('node:test');
const cron = require('node-cron');

const { CONTROL_SECRET, environment, fileList } = require('../harness/cluster.js');
const { catchWarnings, startEngine } = require('../harness/engine.js');
const { agree, projectOf, runToEnd, startProgram, write } = require('./support/programs.js');
const { until } = require('../harness/until.js');

/** @typedef {Awaited<ReturnType<typeof startProgram>>} Program */

/** An application with a job each second. The decorators in both orders; without a key it is the names. */
const NEST = `
  import { Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { Cron, ScheduleModule } from '@nestjs/schedule';
  import { OnOneServer, ShazbotModule } from 'clustershazbot/nestjs';

  class Jobs {
    first() {
      console.log('first ' + Math.round(Date.now() / 1000));
    }
    second() {
      console.log('second ' + Math.round(Date.now() / 1000));
      return 'done';
    }
  }
  const decorate = (name, ...decorators) => {
    const descriptor = Object.getOwnPropertyDescriptor(Jobs.prototype, name);
    for (const decorator of decorators) decorator(Jobs.prototype, name, descriptor);
    Object.defineProperty(Jobs.prototype, name, descriptor);
  };
  decorate('first', OnOneServer('job'), Cron('* * * * * *'));
  decorate('second', Cron('* * * * * *'), OnOneServer());
  class AppModule {}
  const enabled = process.env.ENABLED !== 'no';
  const isImported = process.env.ENABLED !== 'not imported';
  const cluster = isImported ? [ShazbotModule.forRoot({ enabled, drainFor: 0 })] : [];
  Module({ imports: [ScheduleModule.forRoot(), ...cluster], providers: [Jobs] })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: false });
  app.enableShutdownHooks();
  await app.listen(Number(process.env.PORT), '127.0.0.1');
  if (!enabled || !isImported) {
    console.log(app.get(Jobs).second());
    setImmediate(() => process.exit());
  }
`;

/** @param {Program[]} servers @param {string} job @param {number} from second @param {number} to */
function runs(servers, job, from, to) {
  /** @type {Record<number, number>} */
  const counts = {};
  for (let second = from; second <= to; second++) counts[second] = 0;
  for (const { stdout } of servers) {
    for (const [, second] of stdout.matchAll(new RegExp(`^${job} (\\d+)$`, 'gm'))) {
      if (Number(second) in counts) counts[Number(second)] = Number(counts[Number(second)]) + 1;
    }
  }
  return Object.values(counts);
}

const now = () => Math.round(Date.now() / 1_000);
/** @param {number} second */
const reached = (second) => until(() => now() > second, { what: 'some seconds have passed', timeout: 15_000 });

describe('@OnOneServer with @nestjs/schedule', () => {
  test('runs a job once in five processes, on another one once its owner is drained, killed or leaves', async (t) => {
    const directory = projectOf('one-server', 'nest12');
    write(directory, { 'package.json': { type: 'module' }, 'main.mjs': NEST });
    const { env } = fileList();
    const start = () => startProgram(t, [path.join(directory, 'main.mjs')], { env });
    const servers = await Promise.all([start(), start(), start(), start(), start()]);
    await agree(servers, { online: servers });
    /** @param {Program[]} of */
    const once = async (of) => {
      const from = now() + 2;
      await reached(from + 2);
      for (const job of ['first', 'second']) assert.deepEqual(runs(servers, job, from, from + 1), [1, 1], job);
      const line = `first ${from}\n`;
      return /** @type {Program} */ (of.find(({ stdout }) => stdout.includes(line)));
    };
    const drained = await once(servers);
    await drained.control(false);
    let rest = servers.filter((server) => server !== drained);
    await agree(rest, { online: rest, offline: [drained] });
    const killed = await once(rest);
    killed.signal('SIGKILL');
    rest = rest.filter((server) => server !== killed);
    await agree(rest, { online: rest, offline: [drained, killed] });
    const leaver = await once(rest);
    leaver.signal('SIGTERM');
    rest = rest.filter((server) => server !== leaver);
    await agree(rest, { online: rest, offline: [drained, killed, leaver] });
    await once(rest);
  });

  test('runs the method in each process if the module is disabled', async () => {
    const directory = projectOf('one-server-disabled', 'nest12');
    write(directory, { 'package.json': { type: 'module' }, 'main.mjs': NEST });
    const env = {
      ...environment('http://127.0.0.1:1/'),
      ENABLED: 'no',
      PORT: '0',
      SHAZBOT_CONTROL_SECRET: CONTROL_SECRET,
    };
    const { code, stdout, stderr } = await runToEnd([path.join(directory, 'main.mjs')], { env });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^second \d+\ndone$/m);
  });
});

test('@OnOneServer warns if the application does not import the module', async () => {
  const directory = projectOf('one-server-alone', 'nest12');
  write(directory, { 'package.json': { type: 'module' }, 'main.mjs': NEST });
  const env = { ENABLED: 'not imported', PORT: '0' };
  const { code, stdout, stderr } = await runToEnd([path.join(directory, 'main.mjs')], { env });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^undefined$/m);
  assert.match(
    stderr,
    /\[SHAZBOT_JOB_SKIPPED\] .*the job "Jobs\.second" was skipped if it is one.* import ShazbotModule\.forRoot\(\)/,
  );
});

describe('the coordinator for node-cron', () => {
  /** @param {import('node:test').TestContext} t @param {() => any} coordinator */
  async function firstRun(t, coordinator) {
    let ran = 0;
    let skipped = 0;
    const options = { name: 'job', distributed: true, runCoordinator: coordinator() };
    const task = cron.schedule('* * * * * *', () => ran++, options);
    task.on('execution:skipped', () => {
      skipped += 1;
    });
    t.after(() => task.destroy());
    await until(() => ran + skipped > 0, { what: 'it is due' });
    return ran > 0;
  }

  test('lets the owner run a task, and nobody without an engine or with too few servers', async (t) => {
    const warnings = catchWarnings(t);
    const { shazbotCoordinator } = require('../lib/node-cron.js');
    assert.equal(await firstRun(t, shazbotCoordinator), false, 'no engine');
    assert.equal(shazbotCoordinator().shouldRun('other'), false);
    const [warning, ...more] = await until(() => warnings.length > 0 && warnings, { what: 'a warning' });
    assert.deepEqual([warning?.code, more], ['SHAZBOT_JOB_SKIPPED', []]);
    assert.match(
      String(warning?.message),
      /^this server owns no key, and the job "job:.*" was skipped if it is one: shazbotStart was not called/,
    );
    const engine = await startEngine(t);
    const started = require('../lib/node-cron.js');
    assert.equal(await firstRun(t, started.shazbotCoordinator), true);
    assert.equal(await firstRun(t, () => started.shazbotCoordinator({ minOnline: 2 })), false);
    assert.equal(await firstRun(t, () => started.shazbotCoordinator({ settled: true })), false);
    await engine.shazbotShutDown();
    assert.equal(started.shazbotCoordinator().shouldRun('job'), false);
    assert.equal(warnings.length, 1, 'nor a warning when the program ends');
  });
});
