'use strict';

// Runs a small program with the lowest and the highest supported version of each framework, on each runtime, and prints a table:
// `npm run matrix`, or `npm run matrix -- express` for one. Needs the network, `npm run build`, and the runtimes that .ci/run installs.

const { execFile } = require('node:child_process');
const { existsSync, mkdirSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');
const { copyPackage } = require('../__test__/support/package.js');

const run = promisify(execFile);
const ROOT = path.join(__dirname, '..');
const FOLDER = path.join(ROOT, 'target', 'matrix');
const TOOLS = path.join(ROOT, 'target', 'tools', 'install', 'node_modules');

/** A server of the fake cluster. */
const FAKE = "require('clustershazbot/testing').createFakeCluster({ online: ['http://a/'] });";
const ASK = `const ask = async (port) => {
  const { online } = await (await fetch('http://127.0.0.1:' + port + '/clustershazbot/list')).json();
  console.log(online[0].baseUrl === 'http://a/' ? 'passed' : online);
  process.exit();
};`;

const nest = (/** @type {string} */ version, /** @type {string} */ terminus, /** @type {string} */ schedule) => ({
  '@nestjs/common': version,
  '@nestjs/core': version,
  '@nestjs/platform-express': version,
  '@nestjs/schedule': schedule,
  '@nestjs/terminus': terminus,
  'reflect-metadata': '0.2',
  rxjs: '7',
});
const each = (/** @type {string} */ name, /** @type {string[]} */ ...versions) =>
  versions.map((version) => ({ [name]: version }));

/** @type {Record<string, { installs: Record<string, string>[], program: string }>} */
const PEERS = {
  express: {
    installs: each('express', '4.16.0', '4', '5.0.0', '5'),
    program: `const app = require('express')();
      app.use('/clustershazbot', require('clustershazbot/express').shazbotRouter());
      const server = app.listen(0, '127.0.0.1', () => ask(server.address().port));`,
  },
  fastify: {
    installs: each('fastify', '5.0.0', '5'),
    program: `const app = require('fastify')();
      app.register(require('clustershazbot/fastify'));
      app.listen({ port: 0, host: '127.0.0.1' }).then(() => ask(app.server.address().port));`,
  },
  nest: {
    installs: [
      nest('11.0.0', '11.0.0', '5.0.0'),
      nest('11', '11', '6'),
      nest('12.0.1', '12.0.0', '12.0.0'),
      nest('12', '12', '12'),
    ],
    program: `require('reflect-metadata');
      const { Module } = require('@nestjs/common');
      const { TerminusModule } = require('@nestjs/terminus');
      const { Interval, ScheduleModule } = require('@nestjs/schedule');
      const { ShazbotModule, scheduleOnOneServer } = require('clustershazbot/nestjs');
      const { ShazbotHealthIndicator } = require('clustershazbot/nestjs/terminus');
      let run;
      const hasRun = new Promise((resolve) => { run = resolve; });
      class Jobs { job() { run(); } }
      Interval(100)(Jobs.prototype, 'job', Object.getOwnPropertyDescriptor(Jobs.prototype, 'job'));
      class AppModule {}
      const imports = [TerminusModule, ShazbotModule.forRoot(), scheduleOnOneServer(ScheduleModule.forRoot())];
      Module({ imports, providers: [ShazbotHealthIndicator, Jobs] })(AppModule);
      require('@nestjs/core').NestFactory.create(AppModule, { logger: ['error'] }).then(async (app) => {
        await app.listen(0, '127.0.0.1');
        const { cluster } = app.get(ShazbotHealthIndicator).isHealthy('cluster');
        if (cluster.status !== 'up') throw new Error(JSON.stringify(cluster));
        await hasRun;
        return ask(app.getHttpServer().address().port);
      });`,
  },
  'prom-client': {
    installs: each('prom-client', '14.0.0', '14', '15.0.0', '15'),
    program: `require('clustershazbot/prometheus').shazbotMetrics();
      require('prom-client').register.metrics().then((text) => {
        console.log(text.includes('clustershazbot_members{state="online"} 1') ? 'passed' : text);
        process.exit();
      });`,
  },
  undici: {
    installs: each('undici', '6.0.0', '6', '7.0.0', '7'),
    program: `const server = require('node:http').createServer((_, res) => res.end('answer')).listen(0, '127.0.0.1', async () => {
      const cluster = require('clustershazbot/testing').createFakeCluster;
      cluster({ online: ['http://127.0.0.1:' + server.address().port + '/'] });
      const { ShazbotDispatcher } = require('clustershazbot/undici');
      const response = await require('undici').request('http://cluster/', { dispatcher: new ShazbotDispatcher() });
      console.log((await response.body.text()) === 'answer' ? 'passed' : response.statusCode);
      process.exit();
    });`,
  },
  'node-cron': {
    installs: each('node-cron', '4.6.0', '4'),
    program: `const cron = require('node-cron');
      cron.setRunCoordinator(require('clustershazbot/node-cron').shazbotCoordinator());
      cron.schedule('* * * * * *', () => { console.log('passed'); process.exit(); }, { name: 'job', distributed: true });`,
  },
};

/** Not tried. Bun has its own undici, which ignores dispatchers, and often cannot load @nestjs/terminus, with this package or without. */
const EXCEPTIONS = /^(?:undici|nest) .* on Bun$/;

/** @returns {[name: string, command: string, args: string[]][]} */
function runtimes() {
  const nodes = ['20', '22', '24', '26'].map(
    (it) => /** @type {const} */ ([it, path.join(TOOLS, `node${it}`, 'bin/node')]),
  );
  /** @type {[string, string, string[]][]} */
  const all = [
    ...nodes.map(([version, file]) => /** @type {[string, string, string[]]} */ ([`Node ${version}`, file, []])),
    ['Bun', path.join(TOOLS, '@oven/bun-linux-x64/bin/bun'), []],
    ['Deno', path.join(TOOLS, '@deno/linux-x64-glibc/deno'), ['run', '--allow-all']],
  ];
  const found = all.filter(([, file]) => existsSync(file));
  return found.length > 0 ? found : [[`Node ${process.versions.node}`, process.execPath, []]];
}

/**
 * @param {string} peer
 * @param {Record<string, string>} versions
 * @param {string} program
 */
async function install(peer, versions, program) {
  const folder = path.join(FOLDER, `${peer}-${Object.values(versions)[0]}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: versions }));
  await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'], { cwd: folder });
  copyPackage(path.join(folder, 'node_modules', 'clustershazbot'));
  const file = path.join(folder, 'program.cjs');
  writeFileSync(file, `${FAKE}\n${ASK}\n${program}\n`);
  return file;
}

/**
 * @param {string} command
 * @param {string[]} args
 */
async function outcome(command, args) {
  const options = { cwd: path.dirname(String(args.at(-1))), timeout: 60_000 };
  const { stdout, stderr } = await run(command, args, options).catch((error) => error);
  return stdout?.trim().endsWith('passed') ? 'passed' : `failed: ${(stderr || stdout || '').trim().split('\n').at(-1)}`;
}

async function main() {
  const [, , only] = process.argv;
  const failures = [];
  for (const [peer, { installs, program }] of Object.entries(PEERS)) {
    if (only && peer !== only) continue;
    for (const versions of installs) {
      const file = await install(peer, versions, program);
      const cells = [];
      for (const [name, command, args] of runtimes()) {
        const combination = `${peer} ${Object.values(versions)[0]} on ${name}`;
        const isPossible = !EXCEPTIONS.test(combination);
        const result = isPossible ? await outcome(command, [...args, file]) : 'not tried';
        if (isPossible && result !== 'passed') failures.push(`${combination}: ${result}`);
        cells.push(`${name}: ${result}`);
      }
      console.log(`| ${peer} ${Object.values(versions)[0]} | ${cells.join(' | ')} |`);
    }
  }
  for (const failure of failures) console.error(failure);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

main();
