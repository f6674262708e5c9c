'use strict';

// Runs an npm registry on loopback, with the packed packages, for tests and measurements of installs.

const assert = require('node:assert/strict');
const { execFile, execFileSync, spawn } = require('node:child_process');
const { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');
const { request } = require('./http.js');
const { freePorts } = require('./ports.js');
const { start } = require('./program.js');
const { until } = require('./until.js');

const root = path.join(__dirname, '..');
/** The folder into which .ci/run installs the tools of __test__/install/package.json. */
const TOOLS = path.join(root, 'target', 'tools', 'install', 'node_modules');

/**
 * The registry also passes on all packages of npm's own registry. Only the platform package of this machine has a binary;
 * the others have a line of text instead.
 */
class Registry {
  folder = mkdtempSync(path.join(tmpdir(), 'clustershazbot-install-'));
  url = '';
  packed = path.join(this.folder, 'packed');
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child;
  /** @type {Set<import('node:child_process').ChildProcess>} */
  #programs = new Set();

  async start() {
    const [port] = await freePorts(1);
    this.url = `http://127.0.0.1:${port}/`;
    const upstream = execFileSync('npm', ['config', 'get', 'registry'], { cwd: root, encoding: 'utf8' }).trim();
    const config = path.join(this.folder, 'verdaccio.yaml');
    writeFileSync(
      config,
      JSON.stringify({
        storage: path.join(this.folder, 'storage'),
        uplinks: { npm: { url: upstream, maxage: '60m', max_fails: 10, timeout: '60s' } },
        packages: {
          'clustershazbot*': { access: '$all', publish: '$all' },
          '**': { access: '$all', proxy: 'npm' },
        },
        log: { type: 'stdout', level: 'warn' },
        max_body_size: '100mb',
      }),
    );
    const program = path.join(TOOLS, 'verdaccio', 'bin', 'verdaccio');
    this.#child = spawn(process.execPath, [program, '--config', config, '--listen', `127.0.0.1:${port}`], {
      stdio: 'ignore',
    });
    await until(async () => (await request(this.url)).status === 200, {
      timeout: 30_000,
      what: 'the registry listens',
    });
    this.#pack();
    const folder = this.project('publish');
    for (const file of readdirSync(this.packed)) await this.npm(folder, 'publish', path.join(this.packed, file));
  }

  #pack() {
    const binaries = path.join(this.folder, 'binaries');
    mkdirSync(binaries);
    for (const name of readdirSync(path.join(root, 'npm'))) {
      const manifest = path.join(root, 'npm', name, 'package.json');
      if (!existsSync(manifest)) continue;
      const { main } = require(manifest);
      const target = path.join(binaries, main);
      if (existsSync(path.join(root, main))) copyFileSync(path.join(root, main), target);
      else writeFileSync(target, 'No binary: the test runs on another platform.\n');
    }
    const args = ['scripts/release/pack.js', '--binaries', binaries, '--out', this.packed];
    execFileSync(process.execPath, args, { cwd: root, stdio: 'pipe' });
  }

  /**
   * The environment of a user's shell: without Rust, and without the variables of this checkout.
   *
   * @param {NodeJS.ProcessEnv} [more]
   */
  environment(more) {
    const own = Object.entries(process.env).filter(([name]) => !/^(npm_|SHAZBOT_|INIT_CWD|CARGO|RUST)/i.test(name));
    const PATH = [path.dirname(process.execPath), '/usr/bin', '/bin'].join(path.delimiter);
    return {
      ...Object.fromEntries(own),
      PATH,
      npm_config_registry: this.url,
      npm_config_cache: path.join(this.folder, 'cache'),
      npm_config_store_dir: path.join(this.folder, 'pnpm'),
      npm_config_update_notifier: 'false',
      YARN_NPM_REGISTRY_SERVER: this.url.slice(0, -1),
      YARN_UNSAFE_HTTP_WHITELIST: '127.0.0.1',
      YARN_GLOBAL_FOLDER: path.join(this.folder, 'yarn'),
      YARN_CACHE_FOLDER: path.join(this.folder, 'yarn-cache'),
      YARN_ENABLE_TELEMETRY: '0',
      // Allows packages that were published just now.
      YARN_NPM_MINIMAL_AGE_GATE: '0',
      YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
      DENO_DIR: path.join(this.folder, 'deno'),
      DENO_NO_UPDATE_CHECK: '1',
      BUN_INSTALL_CACHE_DIR: path.join(this.folder, 'bun'),
      ...more,
    };
  }

  /**
   * Makes a user's project with these files.
   *
   * @param {string} name
   * @param {Record<string, string | object>} [files]
   */
  project(name, files = {}) {
    const folder = path.join(this.folder, name);
    mkdirSync(folder);
    const token = `//${new URL(this.url).host}/:_authToken=none`;
    const all = { 'package.json': { private: true }, '.npmrc': `registry=${this.url}\n${token}\n`, ...files };
    for (const [file, content] of Object.entries(all)) {
      const target = path.join(folder, file);
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, typeof content === 'string' ? content : JSON.stringify(content));
    }
    return folder;
  }

  /**
   * Runs a command, which must succeed.
   *
   * @param {string} folder
   * @param {string} command
   * @param {string[]} args
   * @param {NodeJS.ProcessEnv} [env]
   * @returns {Promise<string>} its output
   */
  async run(folder, command, args, env) {
    try {
      const options = { cwd: folder, env: this.environment(env), timeout: 240_000, maxBuffer: 64 << 20 };
      const { stdout, stderr } = await promisify(execFile)(command, args, options);
      return stdout + stderr;
    } catch (error) {
      const { stdout = '', stderr = '' } = /** @type {{ stdout?: string, stderr?: string }} */ (error);
      assert.fail(`${command} ${args.join(' ')}: ${error}\n${stdout}\n${stderr}`);
    }
  }

  /** @param {string} folder @param {string[]} args */
  npm(folder, ...args) {
    return this.run(folder, 'npm', [...args, '--no-audit', '--no-fund']);
  }

  /**
   * The standard error of a program, which must fail.
   *
   * @param {string} folder
   * @param {string[]} args
   * @returns {Promise<string>}
   */
  async fails(folder, ...args) {
    const options = { cwd: folder, env: this.environment(), timeout: 60_000 };
    try {
      await promisify(execFile)(process.execPath, args, options);
    } catch (error) {
      return /** @type {{ stderr: string }} */ (error).stderr;
    }
    assert.fail(`${args} does not fail`);
  }

  /**
   * @param {string} folder
   * @param {string} command
   * @param {string[]} args
   * @param {NodeJS.ProcessEnv} env
   */
  begin(folder, command, args, env) {
    const started = start(folder, command, args, this.environment(env));
    this.#programs.add(started.child);
    return started;
  }

  end() {
    for (const child of this.#programs) child.kill('SIGKILL');
    this.#child?.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

module.exports = { Registry, TOOLS };
