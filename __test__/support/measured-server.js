'use strict';

// Starts hostile-server.js and measures what requests cost it.

const assert = require('node:assert/strict');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

const { SECRET, environment, fileList } = require('../../harness/cluster.js');
const { message } = require('../../harness/gossip.js');
const { freePorts } = require('../../harness/ports.js');

/** @typedef {import('node:test').TestContext} TestContext */
/** @typedef {{ cpu: number, wall: number, grown: number }} Cost standstill in ms, growth in bytes */

const MB = 2 ** 20;
/** Processor time that one request may take of the event loop at a time, in ms: 20, and some for other processors. */
const STANDSTILL = 30;

class MeasuredServer {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child;
  port = 0;

  /** @param {Record<string, string>} [env] */
  async start(env = {}) {
    [this.port = 0] = await freePorts(1);
    const { PATH = '' } = process.env;
    const base = { ...environment(this.baseUrl), ...fileList().env };
    this.#child = fork(path.join(__dirname, 'hostile-server.js'), {
      // What V8 sets aside for new objects is as large as the largest burst of them: that is not held.
      execArgv: ['--max-semi-space-size=1'],
      env: { PATH, ...base, SHAZBOT_GOSSIP_INTERVAL: '30', TEST_PORT: String(this.port), ...env },
      stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
    });
    const [event] = await Promise.race([once(this.#child, 'message'), once(this.#child, 'exit')]);
    assert.equal(event, 'ready');
  }

  end() {
    this.#child?.kill('SIGKILL');
  }

  get baseUrl() {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** @param {'reset' | 'report' | 'usage'} order @returns {Promise<any>} */
  async order(order) {
    this.#child?.send(order);
    const [answer] = await once(/** @type {any} */ (this.#child), 'message');
    return answer;
  }

  /**
   * @param {TestContext} t
   * @param {() => Promise<unknown>} act
   * @returns {Promise<Cost>}
   */
  async cost(t, act) {
    await this.order('reset');
    await act();
    /** @type {Cost} */
    const cost = await this.order('report');
    const { cpu, wall, grown } = cost;
    t.diagnostic(
      `stands still for ${cpu.toFixed(1)} ms (${wall.toFixed(1)} by the clock), ${(grown / MB).toFixed(1)} MB larger`,
    );
    return cost;
  }

  /**
   * @param {string | Buffer} body
   * @param {{ authorization?: string, route?: string }} [options]
   * @returns {Promise<number>} the status of the response
   */
  post(body, { authorization = SECRET, route = 'clustershazbot/gossip' } = {}) {
    return new Promise((resolve, reject) => {
      const headers = { authorization, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const sent = http.request(`${this.baseUrl}${route}`, { method: 'POST', headers, agent: false }, (response) => {
        response
          .on('error', reject)
          .on('end', () => resolve(response.statusCode ?? 0))
          .resume();
      });
      sent.on('error', reject).end(body);
    });
  }

  /**
   * Begins to send bodies and does not end them.
   * @param {TestContext} t
   * @param {number} count
   * @param {{ authorization: string, bytes: number }} options
   */
  async unfinished(t, count, { authorization, bytes }) {
    const part = Buffer.alloc(bytes, 0x20);
    const all = [];
    for (let n = 0; n < count; n++) {
      const socket = net.connect(this.port, '127.0.0.1').on('error', () => {});
      t.after(() => socket.destroy());
      const head = `POST /clustershazbot/gossip HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\n`;
      socket.write(`${head}Content-Type: application/json\r\nContent-Length: ${bytes + 1}\r\n\r\n`);
      all.push(new Promise((resolve) => socket.on('close', resolve).write(part, resolve)));
      if (n % 20 === 19) await sleep(5);
    }
    await Promise.race([Promise.all(all), sleep(10_000)]);
    await sleep(300);
  }

  /** An ordinary exchange still works. */
  async works() {
    assert.equal(await this.post(JSON.stringify(message())), 200);
  }
}

/** @param {Cost} cost */
function assertRuns({ cpu }) {
  assert.ok(cpu <= STANDSTILL, `${cpu} ms`);
}

module.exports = { MB, MeasuredServer, assertRuns };
