'use strict';

// Starts real servers as child processes, and checks which servers they list.

const assert = require('node:assert/strict');
const { fork } = require('node:child_process');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const { folder } = require('./folder.js');
const { request } = require('./http.js');
const { freePorts } = require('./ports.js');
const { until } = require('./until.js');

const SECRET = 'the-gossip-secret';
const CONTROL_SECRET = 'the-control-secret';

/**
 * Runs functions at the end of a test or suite: a test context, or `{ after }` of node:test.
 * @typedef {{ after: (cleanup: () => any) => void }} Scope
 */
/**
 * A network namespace that a server runs in. `enter`: the command, with arguments, that runs another command in it.
 * @typedef {{ host: string, enter: string[] }} Place
 */
/** @typedef {{ online: string[], offline: string[] }} View base URLs, sorted */
/**
 * @typedef {object} ServerOptions
 * @property {Record<string, string>} [env] over the defaults of {@link environment}
 * @property {'v1'} [engine] runs the stand-in for version 1 instead of the package
 * @property {number} [port] that it listens on
 * @property {string} [baseUrl] if it does not follow from the port
 * @property {Place} [place] the network namespace that it runs in, if not this one
 * @property {string[]} [runtime] the command, with arguments, that runs a program, if not this Node
 * @property {boolean} [wait] false: does not wait until it is started
 */

/**
 * @param {string} baseUrl
 * @returns {Record<string, string>}
 */
function environment(baseUrl) {
  return {
    SHAZBOT_SECRET: SECRET,
    SHAZBOT_CONTROL_SECRET: CONTROL_SECRET,
    SHAZBOT_BASE_URL: baseUrl,
    SHAZBOT_GOSSIP_INTERVAL: '0.3',
    SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '2',
    SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '1',
  };
}

class TestServer {
  /** @param {ServerOptions & { port: number }} options */
  constructor({ port, env = {}, engine, place, runtime, baseUrl }) {
    this.port = port;
    this.scheme = env.TEST_TLS ? 'https' : 'http';
    this.baseUrl = baseUrl ?? `${this.scheme}://${place?.host ?? '127.0.0.1'}:${port}/`;
    this.runtime = runtime ?? [process.execPath];
    this.env = { ...env };
    this.engine = engine;
    this.place = place;
    this.#reset();
  }

  /** @type {import('node:child_process').ChildProcess | undefined} */
  child;
  stdout = '';
  stderr = '';
  /** @type {{ name: string, message: string, code?: string }[]} Process warnings. */
  warnings = [];
  /** @type {{ code: string, message: string }[]} Records of the diagnostics channel. */
  logs = [];
  /** @type {import('..').MemberEvent[]} Its member events. */
  events = [];
  /** @type {((log: { code: string, message: string }, at: number) => void) | undefined} Called for each log record. */
  onLog;
  /** @type {{ message: string, code?: string } | undefined} The error of a rejected start. */
  refused;
  listening = false;
  started = false;
  /** @type {{ code: number | null, signal: NodeJS.Signals | null } | undefined} */
  exit;
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  #orders = 0;

  #reset() {
    Object.assign(this, { stdout: '', stderr: '', warnings: [], logs: [], events: [] });
    Object.assign(this, { refused: undefined, listening: false, started: false, exit: undefined });
  }

  /** Starts the process without waiting for it. */
  launch() {
    this.#reset();
    const { PATH = '' } = process.env;
    const env = {
      PATH,
      ...environment(this.baseUrl),
      ...this.env,
      TEST_PORT: String(this.port),
      ...(this.place ? { TEST_HOST: this.place.host } : {}),
      ...(this.engine === 'v1' ? { TEST_ENGINE: path.join(__dirname, 'v1-peer.js') } : {}),
    };
    const [execPath, ...execArgv] = [...(this.place?.enter ?? []), ...this.runtime];
    const child = fork(path.join(__dirname, 'server.js'), {
      env,
      execPath,
      execArgv,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child = child;
    child.stdout?.on('data', (chunk) => {
      this.stdout += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    child.on('message', (message) => this.#receive(/** @type {any} */ (message)));
    child.on('close', (code, signal) => {
      this.exit = { code, signal };
      for (const { reject } of this.#waiting.values()) reject(new Error(`${this.baseUrl} ended`));
      this.#waiting.clear();
    });
  }

  /** @param {{ event?: string, id?: number, value?: any, error?: any, at?: number }} message */
  #receive({ event, id, value, error, at = 0 }) {
    if (event === 'warning') this.warnings.push(value);
    if (event === 'log') {
      this.logs.push(value);
      this.onLog?.(value, at);
    }
    if (event === 'member') this.events.push(value);
    if (event === 'listening') this.listening = true;
    if (event === 'started') this.started = true;
    if (event === 'refused') this.refused = value;
    if (id === undefined) return;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(Object.assign(new Error(error.message), error));
    else waiting?.resolve(value);
  }

  async launched() {
    await until(
      () => {
        if (this.refused || this.exit) return true;
        return this.listening && (this.started || this.env.TEST_START === 'no');
      },
      { timeout: 25_000, what: `${this.baseUrl} is started` },
    );
    assert.equal(this.refused, undefined, `start of ${this.baseUrl}`);
    assert.equal(this.exit, undefined, `${this.baseUrl} ended: ${this.stderr}`);
  }

  /**
   * Carries out an order of server.js.
   *
   * @param {string} order
   * @param {...any} args
   * @returns {Promise<any>}
   */
  order(order, ...args) {
    this.#orders += 1;
    const id = this.#orders;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.child?.send({ id, order, args });
    });
  }

  /** Blocks its event loop. @param {number} ms */
  block(ms) {
    return this.order('block', ms);
  }

  /** @param {NodeJS.Signals} signal */
  signal(signal) {
    if (!this.exit) this.child?.kill(signal);
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill() {
    this.signal('SIGKILL');
    await this.ended();
  }

  /** SIGTERM, on which server.js shuts down; resolves with the exit when the process is gone. */
  async terminate() {
    this.signal('SIGTERM');
    return this.ended();
  }

  /** @param {number} [timeout] in ms */
  ended(timeout = 20_000) {
    return until(() => this.exit, { timeout, every: 10, what: `${this.baseUrl} ends` });
  }

  /** Starts the process again, on the same port. */
  async restart() {
    assert.ok(this.exit, 'it ended before');
    this.launch();
    await this.launched();
  }

  get local() {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** @param {string} [authorization] */
  async list(authorization = CONTROL_SECRET) {
    const { status, json } = await request(`${this.local}clustershazbot/list`, { headers: { authorization } });
    assert.equal(status, 200);
    return /** @type {import('..').ServerList} */ (json);
  }

  /** @returns {Promise<View>} */
  async view() {
    // Another network namespace is only reachable over the parent's channel, and this process does not trust a test's
    // certificates.
    const list =
      this.place || this.scheme === 'https'
        ? await this.order('call', 'shazbotGetServerList', true)
        : await this.list();
    const { online, offline = [] } = /** @type {import('..').ServerList} */ (list);
    return { online: urls(online), offline: urls(offline) };
  }

  /**
   * @param {boolean} online
   * @param {string} [authorization]
   */
  control(online, authorization = CONTROL_SECRET) {
    return request(`${this.local}clustershazbot/control`, {
      method: 'POST',
      headers: { authorization },
      body: { message: 'control', online },
    });
  }

  drain() {
    return this.#setOnline(false);
  }

  undrain() {
    return this.#setOnline(true);
  }

  /** @param {boolean} online */
  async #setOnline(online) {
    if (this.place) await this.order('call', 'shazbotControlRequest', CONTROL_SECRET, { message: 'control', online });
    else assert.equal((await this.control(online)).status, 200);
  }
}

/** @param {{ baseUrl: string }[]} entries */
const urls = (entries) => entries.map((entry) => entry.baseUrl).sort();

/**
 * Starts servers in parallel, and ends them with the scope.
 *
 * @param {Scope} scope
 * @param {number} count
 * @param {ServerOptions} options
 */
async function startServers(scope, count, options) {
  const ports = await freePorts(count);
  return Promise.all(ports.map((port) => startServer(scope, { ...options, port })));
}

/**
 * @param {Scope} scope
 * @param {ServerOptions} options
 */
async function startServer(scope, { wait = true, ...options }) {
  const port = options.port ?? /** @type {number} */ ((await freePorts(1))[0]);
  const server = new TestServer({ ...options, port });
  scope.after(() => server.kill());
  server.launch();
  if (wait) await server.launched();
  return server;
}

/** @typedef {{ online: TestServer[], offline?: TestServer[] }} Expected */

/**
 * Asserts that each of `servers` lists exactly these now.
 *
 * @param {TestServer[]} servers
 * @param {Expected} expected
 */
async function assertAgreed(servers, expected) {
  const wanted = { online: urls(expected.online), offline: urls(expected.offline ?? []) };
  const views = await Promise.all(servers.map((server) => server.view()));
  for (const [n, view] of views.entries()) assert.deepEqual(view, wanted, `as ${servers[n]?.baseUrl} sees it`);
}

/**
 * Waits until each of `servers` lists exactly these, and returns how many ms that took.
 *
 * @param {TestServer[]} servers
 * @param {Expected} expected
 * @param {{ timeout?: number, what?: string, every?: number }} [options]
 */
async function agree(servers, expected, { timeout = 25_000, what = 'all servers agree', every = 100 } = {}) {
  const since = Date.now();
  await until(() => assertAgreed(servers, expected).then(() => true), { timeout, what, every });
  return Date.now() - since;
}

/**
 * Waits until each server has received enough gossip: a server that never answered before is not declared dead in its
 * first minute.
 *
 * @param {TestServer[]} servers
 * @param {{ timeout?: number }} [options] in ms, for each server
 */
async function untilGossiped(servers, { timeout = 20_000 } = {}) {
  for (const server of servers) {
    await until(async () => (await server.order('gossips')) >= 2 * servers.length, {
      timeout,
      what: `the others gossip with ${server.baseUrl}`,
    });
  }
}

/** A master list in a file, which does not exist at first. */
function fileList() {
  const directory = folder();
  const file = path.join(directory, 'servers.json');
  return {
    directory,
    file,
    env: { SHAZBOT_MASTER_LIST: pathToFileURL(file).href },
    /** The base URLs in it, sorted. Throws if the file is ever incomplete. */
    servers: () => urls(JSON.parse(readFileSync(file, 'utf8')).online),
  };
}

module.exports = {
  CONTROL_SECRET,
  SECRET,
  untilGossiped,
  agree,
  assertAgreed,
  environment,
  fileList,
  startServer,
  startServers,
  urls,
};
