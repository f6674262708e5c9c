'use strict';

// Runs a small program with the lowest and the highest supported version of each framework, on each runtime, and prints a table.
// Needs the network, `npm run build`, and the runtimes that .ci/run installs.
//   npm run matrix                 all, in about two minutes
//   npm run matrix -- express      one framework
//   npm run matrix -- --quick      on this Node only
//   npm run matrix -- --report     writes docs/supported-versions.md, too

const { execFile } = require('node:child_process');
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { parseArgs, promisify } = require('node:util');
const { copyPackage } = require('../__test__/support/package.js');
const { markdown, table } = require('./shared/text.js');

const run = promisify(execFile);
const ROOT = path.join(__dirname, '..');
const FOLDER = path.join(ROOT, 'target', 'matrix');
const TOOLS = path.join(ROOT, 'target', 'tools', 'install', 'node_modules');
const REPORT = path.join(ROOT, 'docs', 'supported-versions.md');
/** Limits, in ms, of an install and of a program. */
const INSTALL_TIMEOUT = 120_000;
const PROGRAM_TIMEOUT = 30_000;

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
    installs: each('undici', '6.0.0', '6', '7.0.0', '7', '8.0.0', '8'),
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

/**
 * Not tried. Bun has its own undici, which ignores dispatchers, and often cannot load @nestjs/terminus, with this package or without.
 * undici 8 needs Node 22.
 */
const EXCEPTIONS = /^(?:(?:undici|nest) .* on Bun |undici 8.* on Node 20\.)/;

/** @typedef {{ name: string, command: string, args: string[] }} Runtime `name`: with its version */

/**
 * @param {boolean} isQuick
 * @returns {Promise<Runtime[]>}
 */
async function runtimes(isQuick) {
  const thisNode = { name: `Node ${process.versions.node}`, command: process.execPath, args: [] };
  if (isQuick) return [thisNode];
  const nodes = ['20', '22', '24', '26'].map((it) => ['Node', path.join(TOOLS, `node${it}`, 'bin/node')]);
  const all = [
    ...nodes,
    ['Bun', path.join(TOOLS, '@oven/bun-linux-x64/bin/bun')],
    ['Deno', path.join(TOOLS, '@deno/linux-x64-glibc/deno'), 'run', '--allow-all'],
  ];
  const found = all.filter(([, command]) => existsSync(String(command)));
  const named = found.map(async ([name, command = '', ...args]) => {
    const { stdout } = await run(command, ['--version']);
    return { name: `${name} ${/\d+\.\d+\.\d+/.exec(stdout)?.[0]}`, command, args };
  });
  return found.length > 0 ? Promise.all(named) : [thisNode];
}

/**
 * @param {string} peer
 * @param {Record<string, string>} versions
 * @param {string} program
 * @returns {Promise<{ row: string, file: string }>} the name and the version that was installed, and the program
 */
async function install(peer, versions, program) {
  const [[name, wanted]] = /** @type {[[string, string]]} */ (Object.entries(versions));
  const folder = path.join(FOLDER, `${peer}-${wanted}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: versions }));
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--prefer-offline'];
  await run('npm', args, { cwd: folder, timeout: INSTALL_TIMEOUT });
  copyPackage(path.join(folder, 'node_modules', 'clustershazbot'));
  const { version } = JSON.parse(readFileSync(path.join(folder, 'node_modules', name, 'package.json'), 'utf8'));
  const file = path.join(folder, 'program.cjs');
  writeFileSync(file, `${FAKE}\n${ASK}\n${program}\n`);
  return { row: `${peer} ${version}`, file };
}

/**
 * @param {Runtime} runtime
 * @param {string} file
 */
async function outcome({ command, args }, file) {
  const options = { cwd: path.dirname(file), timeout: PROGRAM_TIMEOUT };
  const { stdout, stderr } = await run(command, [...args, file], options).catch((error) => error);
  return stdout?.trim().endsWith('passed') ? 'passed' : `failed: ${(stderr || stdout || '').trim().split('\n').at(-1)}`;
}

/** @param {string[][]} rows the first is the head */
function report([head = [], ...rows]) {
  const title = '# Supported versions\n';
  const text = [
    'The lowest and the highest version of each package and runtime with which this version works. `npm run matrix` in the repository',
    'installs each, runs a small program with it, and writes this page with `-- --report`. The versions between them are supported, too.',
    'The packages are optional: install those that your program uses.',
  ].join('\n');
  const notes = [
    'Not tried: undici 8 on Node 20, since it needs Node 22; undici on Bun, which has one of its own that ignores dispatchers; Nest on Bun,',
    'which often cannot load `@nestjs/terminus`, with this package or without. Nest is tried together with `@nestjs/terminus` of the same',
    'major version, and with `@nestjs/schedule`.',
  ].join('\n');
  writeFileSync(REPORT, `${title}\n${text}\n\n${markdown(head, rows)}\n\n${notes}\n`);
}

async function main() {
  const options = /** @type {const} */ ({ quick: { type: 'boolean' }, report: { type: 'boolean' } });
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const all = await runtimes(values.quick === true);
  const rows = [['', ...all.map(({ name }) => name)]];
  const failures = [];
  for (const [peer, { installs, program }] of Object.entries(PEERS)) {
    if (positionals.length > 0 && !positionals.includes(peer)) continue;
    for (const versions of installs) {
      const { row, file } = await install(peer, versions, program);
      // The lowest version may be the highest, too.
      if (rows.some(([known]) => known === row)) continue;
      const cells = [];
      for (const runtime of all) {
        const combination = `${row} on ${runtime.name}`;
        const result = EXCEPTIONS.test(combination) ? 'not tried' : await outcome(runtime, file);
        if (result.startsWith('failed')) failures.push(`${combination}: ${result}`);
        cells.push(result);
      }
      rows.push([row, ...cells]);
      console.log(`${row}: ${cells.join(', ')}`);
    }
  }
  console.log(`\n${table(rows)}`);
  for (const failure of failures) console.error(failure);
  process.exitCode = failures.length > 0 ? 1 : 0;
  if (values.report && failures.length === 0) report(rows);
}

main();
