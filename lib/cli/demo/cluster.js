'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { pathToFileURL } = require('node:url');

const PROGRAM = path.join(__dirname, 'server.js');
const LEASH = path.join(__dirname, 'leash.js');
const POLL_MS = 50;
const ANSWER_MS = 2000;
const ANSWER_BYTES = 1 << 20;
const COMPLAINT_CHARS = 2000;

/**
 * What one server says of another: `unknown` while it lists it neither online nor offline.
 *
 * @typedef {'online' | 'offline' | 'unknown'} Opinion
 *
 * @typedef {object} Server
 * @property {number} number from 1
 * @property {number} port
 * @property {string} baseUrl
 * @property {import('node:child_process').ChildProcess | null} child null while not running
 * @property {Opinion[] | null} view its opinion of each server, as last heard; null while it has given none
 * @property {string} complaint the last that its process wrote to stderr
 */

/** Servers, each a process of its own, and what each of them lists. */
class Cluster {
  #folder = '';
  #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  #controlSecret = 'the-demo-control-secret';
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
      complaint: '',
    }));
    for (const server of this.servers) this.#poll(server);
  }

  /** @param {Server} server */
  start(server) {
    /** @type {NodeJS.ProcessEnv} */
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SHAZBOT_')));
    const child = spawn(process.execPath, ['--require', LEASH, PROGRAM], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {
        ...env,
        NODE_USE_ENV_PROXY: '0',
        PORT: String(server.port),
        SHAZBOT_SECRET: 'the-demo-gossip-secret',
        SHAZBOT_CONTROL_SECRET: this.#controlSecret,
        SHAZBOT_BASE_URL: server.baseUrl,
        SHAZBOT_MASTER_LIST: pathToFileURL(path.join(this.#folder, 'servers.json')).href,
        SHAZBOT_GOSSIP_INTERVAL: String(this.#interval),
      },
    });
    server.child = child;
    server.complaint = '';
    child.stderr?.on('data', (chunk) => {
      server.complaint = (server.complaint + chunk).slice(-COMPLAINT_CHARS);
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
      server.complaint = error.message;
      ended();
    });
  }

  /** @param {Server} server */
  kill(server) {
    server.child?.kill('SIGKILL');
  }

  /**
   * Takes a server out of the cluster while it goes on running, or back in.
   *
   * @param {Server} server
   * @param {boolean} online
   */
  async control(server, online) {
    await this.#request(server, 'POST', 'clustershazbot/control', { message: 'control', online });
  }

  /** Ends all processes, gently where there is time. */
  async close() {
    this.#closed = true;
    const running = this.servers.flatMap(({ child }) => (child ? [child] : []));
    const ended = running.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of running) child.kill('SIGTERM');
    await Promise.race([Promise.all(ended), sleep(8000, undefined, { ref: false })]);
    this.abandon();
  }

  /** The same at once: for the very end of the process, when nothing can be waited for. */
  abandon() {
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
   * @returns {Promise<Opinion[] | null>}
   */
  async #view(server) {
    try {
      const list = await this.#request(server, 'GET', 'clustershazbot/list');
      const online = new Set(list.online.map(baseUrl));
      const offline = new Set(list.offline.map(baseUrl));
      return this.servers.map(({ baseUrl }) =>
        online.has(baseUrl) ? 'online' : offline.has(baseUrl) ? 'offline' : 'unknown',
      );
    } catch {
      return null; // It does not listen yet, its engine has not started, or it was killed just now.
    }
  }

  /**
   * @param {Server} server
   * @param {string} method
   * @param {string} route
   * @param {object} [body]
   * @returns {Promise<any>}
   */
  #request(server, method, route, body) {
    return new Promise((resolve, reject) => {
      const request = http.request(
        new URL(route, server.baseUrl),
        {
          method,
          agent: this.#agent,
          signal: AbortSignal.timeout(ANSWER_MS),
          headers: { authorization: this.#controlSecret, ...(body && { 'content-type': 'application/json' }) },
        },
        async (response) => {
          try {
            let text = '';
            for await (const chunk of response.setEncoding('utf8')) {
              text += chunk;
              if (text.length > ANSWER_BYTES) throw new Error('the answer is too long');
            }
            if (response.statusCode !== 200) throw new Error(`${method} ${route}: ${response.statusCode} ${text}`);
            resolve(JSON.parse(text));
          } catch (error) {
            reject(error);
          }
        },
      );
      request.on('error', reject);
      request.end(body && JSON.stringify(body));
    });
  }
}

/** @param {{ baseUrl: string }} entry */
function baseUrl(entry) {
  return entry.baseUrl;
}

/**
 * Ports below the range from which systems take those of outgoing connections: else one of these could get the
 * port of a server while that is down.
 *
 * @param {number} count
 */
async function freePorts(count) {
  /** @type {net.Server[]} */
  const holders = [];
  while (holders.length < count) {
    const holder = net.createServer();
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const free = await new Promise((resolve) => {
      holder.once('error', () => resolve(false));
      holder.listen(port, () => resolve(true));
    });
    if (free) holders.push(holder);
  }
  const ports = holders.map((holder) => /** @type {net.AddressInfo} */ (holder.address()).port);
  await Promise.all(holders.map((holder) => new Promise((resolve) => holder.close(resolve))));
  return ports;
}

module.exports = { Cluster };
