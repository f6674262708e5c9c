'use strict';

// Counts how often a job runs at each tick in five Nest processes while its owner is killed, drained and cut off. Each tick is a
// second; with SHAZBOT_TEST_CRON=minutes it is a minute and the cluster has its default interval, which takes 16 minutes.

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');

const { fileList } = require('../harness/cluster.js');
const { missing, startHalves } = require('../harness/namespaces.js');
const { freePorts } = require('../harness/ports.js');
const { until } = require('../harness/until.js');
const { ownersOf } = require('../lib/cli/ownership.js');
const { projectOf, startProgram, write } = require('./support/programs.js');

/** @typedef {Awaited<ReturnType<typeof startProgram>>} Program */
/** @typedef {{ what: string, from: number, to: number }} Phase from one tick to another, the last not included */

const isSlow = process.env.SHAZBOT_TEST_CRON === 'minutes';
const TICK_MS = isSlow ? 60_000 : 1_000;

/** Two jobs, of which one needs a majority. SIGCONT drains the server and undoes that: Nest closes the application on most other signals. */
const PROGRAM = `
  import { Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { Cron, ScheduleModule } from '@nestjs/schedule';
  import { OnOneServer, ShazbotModule, ShazbotService, scheduleOnOneServer } from 'clustershazbot/nestjs';

  const tick = () => Math.round(Date.now() / ${TICK_MS});
  class Jobs {
    job() { console.log('job ' + tick()); }
    safe() { console.log('safe ' + tick()); }
  }
  const decorate = (name, ...decorators) => {
    const descriptor = Object.getOwnPropertyDescriptor(Jobs.prototype, name);
    for (const decorator of decorators) decorator(Jobs.prototype, name, descriptor);
    Object.defineProperty(Jobs.prototype, name, descriptor);
  };
  const every = '${isSlow ? '0 * * * * *' : '* * * * * *'}';
  decorate('job', Cron(every, { name: process.env.KEY }));
  decorate('safe', OnOneServer(process.env.KEY, { minOnline: 3 }), Cron(every));
  class AppModule {}
  const imports = [ShazbotModule.forRoot(), scheduleOnOneServer(ScheduleModule.forRoot())];
  Module({ imports, providers: [Jobs] })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: false });
  app.enableShutdownHooks();
  await app.listen(Number(process.env.PORT), process.env.HOST);
  const cluster = app.get(ShazbotService);
  let isDrained = false;
  process.on('SIGCONT', () => {
    isDrained = !isDrained;
    if (isDrained) cluster.drain();
    else cluster.undrain();
  });
  let online;
  setInterval(() => {
    const now = cluster.servers().length;
    if (now !== online) console.log('online ' + now);
    online = now;
  }, 20);
`;

const tick = () => Math.floor(Date.now() / TICK_MS);
/** Waits until just before a tick, the moment at which most can go wrong. @param {number} at */
const justBefore = (at) => sleep(at * TICK_MS - 500 - Date.now());

/** @param {Program[]} servers @param {number} online that each lists */
function agreed(servers, online) {
  const isAgreed = () => {
    const found = servers.map(({ stdout }) => stdout.match(/^online .*$/gm)?.at(-1));
    if (found.some((it) => it !== `online ${online}`)) throw new Error(`${found}, not ${online}`);
    return true;
  };
  return until(isAgreed, { every: 20, timeout: 120_000, what: 'all agree' });
}

/** @param {Program[]} all @param {string} name @param {number} at a tick */
const runs = (all, name, at) =>
  all.reduce((sum, { stdout }) => sum + [...stdout.matchAll(new RegExp(`^${name} ${at}$`, 'gm'))].length, 0);

/**
 * Starts five servers, the last two in a network of their own. The fourth owns the jobs.
 * @param {import('node:test').TestContext} t
 */
async function startFive(t) {
  const directory = projectOf(isSlow ? 'jobs-minutes' : 'jobs', 'nest12');
  write(directory, { 'package.json': { type: 'module' }, 'main.mjs': PROGRAM });
  const network = await startHalves(t);
  const [left, right] = network.places;
  const ports = await freePorts(5);
  const places = [left, left, left, right, right];
  const urls = ports.map((port, i) => `http://${places[i]?.host}:${port}/`);
  const owns = (/** @type {number} */ n) => ownersOf(`job ${n}`, urls)[0] === urls[3];
  const KEY = `job ${Array.from({ length: 200 }, (_, n) => n).find(owns)}`;
  const env = { ...fileList().env, KEY, ...(isSlow && { SHAZBOT_GOSSIP_INTERVAL: '30' }) };
  const start = (/** @type {number} */ i) => {
    const options = { env, wait: false, port: Number(ports[i]), place: /** @type {any} */ (places[i]) };
    return startProgram(t, [path.join(directory, 'main.mjs')], options);
  };
  return { network, start, servers: await Promise.all(ports.map((_, i) => start(i))) };
}

test('a job runs once at each tick, except just after its owner is killed, drained or cut off', {
  skip: missing,
  timeout: isSlow ? 1_200_000 : 180_000,
}, async (t) => {
  const { network, start, servers } = await startFive(t);
  /** All processes that ever ran. */
  const all = [...servers];
  /** @type {Phase[]} */
  const phases = [];
  await agreed(servers, 5);
  let from = tick() + 2;
  await justBefore(from);
  /** @param {string} what has happened since the last end @param {number} more ticks after it that belong to it */
  const end = async (what, more = 0) => {
    const to = Math.max(tick(), from) + more + 1;
    await justBefore(to);
    phases.push({ what, from, to });
    from = to;
  };
  const calm = () => end('calm', isSlow ? 0 : 1);
  const [, , , owner] = /** @type {[Program, Program, Program, Program]} */ (servers);
  const others = servers.filter((it) => it !== owner);

  await calm();
  owner.signal('SIGKILL');
  await agreed(others, 4);
  await end('killed');
  await calm();
  const again = await start(3);
  all.push(again);
  servers[3] = again;
  await agreed(servers, 5);
  await end('started again');
  await calm();
  again.signal('SIGCONT');
  await agreed(servers, 4);
  await end('drained');
  await calm();
  again.signal('SIGCONT');
  await agreed(servers, 5);
  await end('no longer drained');
  await calm();
  network.cut();
  await Promise.all([agreed(servers.slice(0, 3), 3), agreed(servers.slice(3), 2)]);
  await end('cut off');
  await end('still cut off', 1);
  network.heal();
  await agreed(servers, 5);
  await end('joined again');
  await calm();

  await sleep(TICK_MS / 2);
  for (const { what, from, to } of phases) {
    const each = (/** @type {string} */ name) => Array.from({ length: to - from }, (_, i) => runs(all, name, from + i));
    const [job, safe] = [each('job'), each('safe')];
    t.diagnostic(`${what}: default ${job.join(' ')}, minOnline 3: ${safe.join(' ')}`);
    if (what === 'calm') assert.deepEqual(new Set([...job, ...safe]), new Set([1]), what);
    // Both sides of the partition have an owner, but only one side has a majority.
    if (what === 'still cut off') assert.deepEqual([new Set(job), new Set(safe)], [new Set([2]), new Set([1])]);
    if (what === 'killed')
      assert.ok(
        [...job, ...safe].every((it) => it <= 1),
        'a dead owner runs nothing',
      );
  }
});
