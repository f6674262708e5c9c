'use strict';

// Starts and stops the servers of the demo, and asks each for its list.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { pathToFileURL } = require('node:url');
const { sendToRoute } = require('../server-routes.js');
const { freePorts } = require('./free-ports.js');

const PROGRAM = path.join(__dirname, 'server.js');
const EXIT_WITH_PARENT = path.join(__dirname, 'exit-with-parent.js');
const POLL_MS = 50;
const ANSWER_MS = 2000;
const STDERR_CHARS = 2000;

/**
 * How one server lists another: `unknown` if neither online nor offline.
 *
 * @typedef {'online' | 'offline' | 'unknown'} Listing
 *
 * @typedef {object} Server
 * @property {number} number from 1
 * @property {number} port
 * @property {string} baseUrl
 * @property {import('node:child_process').ChildProcess | null} child null while not running
 * @property {Listing[] | null} view how it lists each server, by its last answer; null before its first answer
 * @property {string} stderr the last output of its process
 */

/** Starts and stops the servers of the demo, each a process, and polls their lists. */
class Cluster {
  #folder = '';
  #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  #controlSecret = 'demo-control-secret';
  #interval;
  #closed = false;

  /** @type {Server[]} */
  servers = [];
  /** Called after each poll, and when a process ends. */
  onChange = () => {};

  /** @param {number} interval seconds between two rounds of gossip */
  constructor(interval) {
    this.#interval = interval;
  }

  get controlSecret() {
    return this.#controlSecret;
  }

  /** @param {number} count */
  async prepare(count) {
    this.#folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clustershazbot-demo-'));
    const ports = await freePorts(count);
    this.servers = ports.map((port, index) => ({
      number: index + 1,
      port,
      baseUrl: `http://127.0.0.1:${port}/`,
      child: null,
      view: null,
      stderr: '',
    }));
    for (const server of this.servers) this.#poll(server);
  }

  /** @param {Server} server */
  start(server) {
    /** @type {NodeJS.ProcessEnv} */
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SHAZBOT_')));
    const child = spawn(process.execPath, ['--require', EXIT_WITH_PARENT, PROGRAM], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {
        ...env,
        NODE_USE_ENV_PROXY: '0',
        PORT: String(server.port),
        SHAZBOT_SECRET: 'demo-gossip-secret',
        SHAZBOT_CONTROL_SECRET: this.#controlSecret,
        SHAZBOT_BASE_URL: server.baseUrl,
        SHAZBOT_MASTER_LIST: pathToFileURL(path.join(this.#folder, 'servers.json')).href,
        SHAZBOT_GOSSIP_INTERVAL: String(this.#interval),
      },
    });
    server.child = child;
    server.stderr = '';
    child.stderr?.on('data', (chunk) => {
      server.stderr = (server.stderr + chunk).slice(-STDERR_CHARS);
    });
    const ended = () => {
      if (server.child !== child) return;
      server.child = null;
      server.view = null;
      this.onChange();
    };
    child.on('spawn', () => this.onChange());
    child.on('exit', ended);
    child.on('error', (error) => {
      server.stderr = error.message;
      ended();
    });
  }

  /** @param {Server} server */
  kill(server) {
    server.child?.kill('SIGKILL');
  }

  /**
   * Drains a server, or puts it back online.
   *
   * @param {Server} server
   * @param {boolean} online
   */
  async control(server, online) {
    await this.#call(server, 'control', { message: 'control', online });
  }

  /** Ends all processes, after up to 8 s for a clean shutdown. */
  async close() {
    this.#closed = true;
    const running = this.servers.flatMap(({ child }) => (child ? [child] : []));
    const ended = running.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of running) child.kill('SIGTERM');
    await Promise.race([Promise.all(ended), sleep(8000, undefined, { ref: false })]);
    this.killAll();
  }

  /** Kills all processes: for an exit handler, which cannot wait. */
  killAll() {
    this.#closed = true;
    for (const server of this.servers) this.kill(server);
    this.#agent.destroy();
    fs.rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  /** @param {Server} server */
  async #poll(server) {
    while (!this.#closed) {
      const asked = server.child;
      const view = asked && (await this.#view(server));
      if (view && asked === server.child) {
        server.view = view;
        this.onChange();
      }
      await sleep(POLL_MS);
    }
  }

  /**
   * @param {Server} server
   * @returns {Promise<Listing[] | null>}
   */
  async #view(server) {
    try {
      const list = await this.#call(server, 'list');
      const online = new Set(list.online.map(baseUrl));
      const offline = new Set(list.offline.map(baseUrl));
      return this.servers.map(({ baseUrl }) =>
        online.has(baseUrl) ? 'online' : offline.has(baseUrl) ? 'offline' : 'unknown',
      );
    } catch {
      return null; // It does not listen yet, its engine has not started, or it was just killed.
    }
  }

  /**
   * @param {Server} server
   * @param {'list' | 'control'} route
   * @param {object} [body]
   * @returns {Promise<any>}
   */
  async #call(server, route, body) {
    const { status, json } = await sendToRoute(new URL(server.baseUrl), route, {
      secret: this.#controlSecret,
      timeout: ANSWER_MS,
      agent: this.#agent,
      body: body && JSON.stringify(body),
    });
    if (status !== 200) throw new Error(`${route}: ${status} ${json?.error}`);
    return json;
  }
}

/** @param {{ baseUrl: string }} entry */
function baseUrl(entry) {
  return entry.baseUrl;
}

module.exports = { Cluster };
