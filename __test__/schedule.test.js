'use strict';

// scheduleOnOneServer of clustershazbot/nestjs, with the lowest and the highest version of @nestjs/schedule that it supports.

const assert = require('node:assert/strict');
const path = require('node:path');
const { describe, test } = require('node:test');

const { CONTROL_SECRET, environment, fileList } = require('../harness/cluster.js');
const { until } = require('../harness/until.js');
const { ownersOf } = require('../lib/cli/ownership.js');
const { agree, projectOf, runToEnd, startProgram, write } = require('./support/programs.js');

/** An application whose jobs print their names. Only two of them say on which servers they run. */
const PROGRAM = `
  import 'reflect-metadata';
  import { Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { Cron, Interval, ScheduleModule, Timeout } from '@nestjs/schedule';
  import { OnEachServer, OnOneServer, ShazbotModule, scheduleOnOneServer } from 'clustershazbot/nestjs';

  // The timeout ends when the test says so: servers that start slowly are not yet online after any fixed time.
  const TIMEOUT = 123_456;
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (callback, ms, ...values) =>
    ms === TIMEOUT ? process.on('SIGCONT', () => callback()) : setTimeout(callback, ms, ...values);

  class Jobs {
    // Not printed twice by one server: it must call the method of the instance.
    #name = (name) => console.log(name);
    onModuleInit() { this.unnamed('called'); }
    unnamed(name = 'cron') { this.#name(name); }
    named() { this.#name('named'); }
    interval() { this.#name('interval'); }
    timeout() { this.#name('timeout'); }
    each() { this.#name('each'); }
    own() { this.#name('own'); }
  }
  const decorate = (name, ...decorators) => {
    const descriptor = Object.getOwnPropertyDescriptor(Jobs.prototype, name);
    for (const decorator of decorators) decorator(Jobs.prototype, name, descriptor);
    Object.defineProperty(Jobs.prototype, name, descriptor);
  };
  decorate('unnamed', Cron('* * * * * *'));
  decorate('named', Cron('* * * * * *', { name: 'a name' }));
  decorate('interval', Interval('an interval', 500));
  decorate('timeout', Timeout(TIMEOUT));
  decorate('each', Cron('* * * * * *'), OnEachServer());
  decorate('own', Cron('* * * * * *', { name: 'not this' }), OnOneServer('own key'));
  class AppModule {}
  const enabled = process.env.ENABLED !== 'no';
  const schedule = process.env.ASYNC ? ScheduleModule.forRootAsync({ useFactory: () => ({}) }) : ScheduleModule.forRoot();
  const imports = [scheduleOnOneServer(schedule), ShazbotModule.forRoot({ enabled, drainFor: 0 })];
  Module({ imports, providers: [Jobs] })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: ['error'] });
  app.enableShutdownHooks();
  await app.listen(Number(process.env.PORT), '127.0.0.1');
  if (!enabled) setTimeout(process.exit, 1_500);
`;

// With a manifest, so that the program imports the copy of this package that finds its Nest.
const FILES = { 'package.json': { type: 'module' }, 'main.mjs': PROGRAM };

/** The key of each job. */
const KEYS = {
  cron: 'Jobs.unnamed',
  named: 'a name',
  interval: 'an interval',
  timeout: 'Jobs.timeout',
  own: 'own key',
};

/** @type {[name: string, app: string, env?: Record<string, string>][]} */
const VARIANTS = [
  ['@nestjs/schedule 5.0.0 and Nest 11', 'nest11'],
  ['the current @nestjs/schedule and Nest', 'nest12', { ASYNC: 'yes' }],
];

describe('scheduleOnOneServer', () => {
  for (const [name, app, env] of VARIANTS) {
    test(`lets the owner of each job run it, with ${name}`, async (t) => {
      const directory = projectOf(`schedule-${app}`, app);
      write(directory, FILES);
      const options = { env: { ...fileList().env, ...env } };
      const start = () => startProgram(t, [path.join(directory, 'main.mjs')], options);
      const servers = await Promise.all([start(), start(), start()]);
      await agree(servers, { online: servers });
      const before = servers.map(({ stdout }) => stdout.length);
      for (const server of servers) server.signal('SIGCONT');
      /** What each has printed since all of them were online. */
      const printed = () => servers.map(({ stdout }, i) => stdout.slice(before[i]).split('\n'));
      await until(() => printed().every((lines) => lines.filter((it) => it === 'each').length > 3), {
        what: 'some seconds',
      });
      for (const [job, key] of Object.entries(KEYS)) {
        const [owner] = ownersOf(
          key,
          servers.map(({ baseUrl }) => baseUrl),
        );
        const runs = printed().map((lines) => lines.filter((it) => it === job).length);
        for (const [i, { baseUrl }] of servers.entries()) {
          const isRunning = job === 'timeout' ? runs[i] === 1 : Number(runs[i]) >= 3;
          if (baseUrl === owner) assert.ok(isRunning, `${job}: ${runs}`);
          else assert.equal(runs[i], 0, job);
        }
      }
      for (const { stdout, stderr } of servers) {
        assert.equal(stdout.split('\n').filter((it) => it === 'called').length, 1, 'a call by the program');
        assert.doesNotMatch(stderr, /ERROR/);
      }
    });
  }

  test('lets each process run its jobs if the module is disabled', async () => {
    const directory = projectOf('schedule-disabled', 'nest12');
    write(directory, FILES);
    const own = { ENABLED: 'no', PORT: '0', SHAZBOT_CONTROL_SECRET: CONTROL_SECRET };
    const env = { ...environment('http://127.0.0.1:1/'), ...own };
    const { code, stdout, stderr } = await runToEnd([path.join(directory, 'main.mjs')], { env });
    assert.equal(code, 0, stderr);
    for (const name of ['cron', 'named', 'interval', 'each', 'own']) assert.match(stdout, new RegExp(`^${name}$`, 'm'));
  });

  test('says what it needs if it gets something else', () => {
    const { scheduleOnOneServer } = require(require.resolve('../lib/nestjs-jobs.js'));
    for (const wrong of [{ module: class {} }, { module: class {}, providers: [class {}] }]) {
      assert.throws(() => scheduleOnOneServer(wrong), /needs ScheduleModule\.forRoot\(\)/);
    }
  });
});
