'use strict';

// The type declarations, checked by several compilers and settings, and compared with what the package exports.

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { root, tsc, workDirectory, write } = require('./support/programs.js');

/** @type {Record<string, string>} The folder of `apps` in which each compiler is installed. */
const compilers = { 'TypeScript 5': 'nest11', 'TypeScript 6': 'nest12', 'TypeScript 7': 'plain' };

/** @type {[name: string, type: 'commonjs' | 'module', options: object, compiler?: string][]} */
const settings = [
  ['CommonJS, node10', 'commonjs', { module: 'commonjs', moduleResolution: 'node10' }, 'TypeScript 5'],
  ['CommonJS, node16', 'commonjs', { module: 'node16', moduleResolution: 'node16' }],
  ['CommonJS, nodenext, isolatedModules', 'commonjs', { module: 'nodenext', isolatedModules: true }],
  ['ES modules, node16, isolatedModules', 'module', { module: 'node16', isolatedModules: true }],
  ['ES modules, nodenext, verbatimModuleSyntax', 'module', { module: 'nodenext', verbatimModuleSyntax: true }],
  [
    'ES modules, bundler, verbatimModuleSyntax',
    'module',
    { module: 'esnext', moduleResolution: 'bundler', verbatimModuleSyntax: true },
  ],
  ['ES modules, bundler, isolatedModules', 'module', { module: 'preserve', isolatedModules: true }],
];

const strict = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  lib: ['es2022'],
  skipDefaultLibCheck: true,
  target: 'es2022',
  types: [],
  noEmit: true,
};

describe('the type declarations', () => {
  const program = readFileSync(path.join(__dirname, 'types.test-d.ts'), 'utf8');

  for (const [compiler, app] of Object.entries(compilers)) {
    for (const [n, [name, type, options, only = compiler]] of settings.entries()) {
      if (only !== compiler) continue;
      test(`compile with ${compiler}: ${name}`, async () => {
        const directory = workDirectory(`types-${app}-${n}`, app);
        write(directory, {
          'package.json': { type },
          'tsconfig.json': { compilerOptions: { ...strict, ...options }, files: ['types.test-d.ts'] },
          'types.test-d.ts': program,
        });
        assert.equal(await tsc(directory), '');
      });
    }

    for (const [n, [name, type, options, only = compiler]] of settings.entries()) {
      // No framework is installed in `plain`.
      if (only !== compiler || app === 'plain') continue;
      test(`of the integrations compile with ${compiler}: ${name}`, async () => {
        const directory = workDirectory(`types-integrations-${app}-${n}`, app);
        const compilerOptions = { ...strict, skipLibCheck: true, types: ['node'], ...options };
        write(directory, {
          'package.json': { type },
          'tsconfig.json': { compilerOptions, files: ['program.ts'] },
          'program.ts': `
            import type { MemberEvent } from 'clustershazbot';
            import { shazbotRouter } from 'clustershazbot/express';
            import { shazbotFastify } from 'clustershazbot/fastify';
            import { shazbotFetch } from 'clustershazbot/fetch';
            import { OnEachServer, OnOneServer, ShazbotModule, scheduleOnOneServer, type ShazbotService } from 'clustershazbot/nestjs';
            import { ShazbotHealthIndicator } from 'clustershazbot/nestjs/terminus';
            import { shazbotCoordinator } from 'clustershazbot/node-cron';
            import { createFakeCluster } from 'clustershazbot/testing';
            import { ShazbotDispatcher } from 'clustershazbot/undici';
            import { shazbotMetrics } from 'clustershazbot/prometheus';
            import { createServer, type Server } from 'node:http';
            ${type === 'module' ? "import plugin from 'clustershazbot/fastify';" : "import { default as plugin } from 'clustershazbot/fastify';"}
            export const same: typeof shazbotFastify = plugin;
            export const server: Server = createServer(shazbotRouter({ page: false }));
            export const modules: object[] = [ShazbotModule.forRoot({ isGlobal: true }), ShazbotHealthIndicator, shazbotFastify];
            export const response: Promise<Response> = shazbotFetch('/a', { method: 'POST', where: { role: 'api' }, attempts: 2 });
            export const others: object[] = [shazbotCoordinator({ minOnline: 3 }), new ShazbotDispatcher({ key: 'a' })];
            export const decorate = (it: PropertyDescriptor) => OnOneServer('job', { settled: true })({}, 'run', it);
            export const scheduled: object = scheduleOnOneServer(ShazbotModule.forRoot(), { minOnline: 3 });
            export const exempt: MethodDecorator = OnEachServer();
            export const tags: Record<string, string> = createFakeCluster({ online: ['http://a/'], offline: [{ baseUrl: 'http://b/', reason: 'left' }] }).service.servers()[0]!.tags;
            export const metrics: void = shazbotMetrics();
            export const listen = (it: ShazbotService) => it.events.on('offline', (event: Readonly<MemberEvent>) => event.reason);
            // @ts-expect-error
            shazbotRouter({ pages: true });
          `,
        });
        assert.equal(await tsc(directory), '');
      });
    }

    test(`compile with ${compiler}: import = require() in CommonJS with verbatimModuleSyntax`, async () => {
      const directory = workDirectory(`types-${app}-require`, app);
      const compilerOptions = { ...strict, module: 'nodenext', verbatimModuleSyntax: true };
      write(directory, {
        'package.json': { type: 'commonjs' },
        'tsconfig.json': { compilerOptions, files: ['program.ts'] },
        'program.ts': `
          import shazbot = require('clustershazbot');
          const message: shazbot.GossipMessage = { message: 'gossip', online: [] };
          const answer: Promise<shazbot.GossipMessage> = shazbot.shazbotGossipRequest('', message);
          export = answer;
        `,
      });
      assert.equal(await tsc(directory), '');
    });
  }

  test('fail to compile if a type is wrong, so that the tests above can fail', async () => {
    const directory = workDirectory('types-wrong', 'plain');
    write(directory, {
      'package.json': { type: 'module' },
      'tsconfig.json': { compilerOptions: { ...strict, module: 'nodenext' }, files: ['types.test-d.ts'] },
      'types.test-d.ts': program.replace('monitor: boolean; lastUpdate', 'monitor: string; lastUpdate'),
    });
    assert.match(await tsc(directory), /types\.test-d\.ts\(\d+,\d+\): error TS/);
  });
});

describe('index.d.ts declares exactly what index.js exports', () => {
  const declarations = readFileSync(path.join(root, 'index.d.ts'), 'utf8');
  /** @param {'function' | 'const'} kind */
  const declared = (kind) => {
    const found = declarations.matchAll(new RegExp(`^export declare ${kind} (\\w+)`, 'gm'));
    // A function may have several declarations.
    return [...new Set([...found].map(([, name]) => String(name)))];
  };
  const functions = declared('function').sort();
  const names = [...functions, ...declared('const')].sort();

  test("version 1's six functions and a value for each of its types, the status, the events, tags and work", () => {
    assert.deepEqual(names, [
      'Config',
      'ControlMessage',
      'GossipMessage',
      'GossipServer',
      'ServerList',
      'shazbotControlRequest',
      'shazbotEvents',
      'shazbotGetServerList',
      'shazbotGossipRequest',
      'shazbotListRequest',
      'shazbotOwner',
      'shazbotOwners',
      'shazbotPick',
      'shazbotReady',
      'shazbotServers',
      'shazbotSetTags',
      'shazbotShutDown',
      'shazbotStart',
      'shazbotStatus',
      'shazbotWaitFor',
    ]);
    const others = declarations.match(/^export (?!declare (function|const)|interface|type).*/gm) ?? [];
    // The properties of a function.
    const unknown = others.filter(
      (it) => !functions.includes(/^export declare namespace (\w+) {$/.exec(it)?.[1] ?? ''),
    );
    assert.deepEqual(unknown, []);
  });

  test('require() returns exactly the declared names', () => {
    /** @type {Record<string, unknown>} */
    const exported = require('clustershazbot');
    assert.deepEqual(Object.keys(exported).sort(), names);
    for (const name of names) {
      if (functions.includes(name)) assert.equal(typeof exported[name], 'function');
      else if (name === 'shazbotEvents') assert.ok(exported[name] instanceof EventEmitter);
      else assert.equal(exported[name], Object, 'the value that emitDecoratorMetadata writes for an interface');
    }
    assert.equal(exported.__esModule, true, 'compilers take named imports from it');
  });

  test('import returns exactly the declared names', async () => {
    const exported = await import('clustershazbot');
    const found = Object.keys(exported).filter((name) => !['default', '__esModule', 'module.exports'].includes(name));
    assert.deepEqual(found.sort(), names);
  });

  test('the functions have as many parameters as declared', () => {
    const { shazbotStart, shazbotGossipRequest, shazbotListRequest, shazbotControlRequest } = require('clustershazbot');
    assert.equal(shazbotStart.length, 0);
    assert.equal(shazbotGossipRequest.length, 2);
    assert.equal(shazbotListRequest.length, 1);
    assert.equal(shazbotControlRequest.length, 2);
  });

  test('the package does not export its inner files, except for package.json', () => {
    const inner = 'clustershazbot/index.js';
    assert.throws(() => require(inner), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' });
    assert.equal(require.resolve('clustershazbot/package.json'), path.join(root, 'package.json'));
  });
});
