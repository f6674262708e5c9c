'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const { assertAgreed, fileList, startServer } = require('../../__test__/support/cluster.js');
const { freePorts } = require('../../__test__/support/ports.js');
const { scope } = require('../measure/scope.js');

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

/** Processes that start at the same time. */
const BATCH = 10;
/** How long one step may take, ms: longer is "not within". */
const LIMIT = 120_000;
/** Nothing new for so long, and all lists right: the cluster is at rest, ms. */
const QUIET = 1_000;

/**
 * Servers, and what each has said of the others. They are asked nothing while something is measured: each tells over
 * its parent's channel what its engine logs, and when. A hundred lists read in a loop would measure the reading.
 */
class Cluster {
  /** @type {Server[]} */
  servers = [];
  /** @type {Map<Server, Map<string, { online: boolean, at: number }>>} By who said it, then by base URL. */
  #said = new Map();
  #news = 0;

  /** @param {number} interval in s */
  constructor(interval) {
    this.env = {
      ...fileList().env,
      SHAZBOT_GOSSIP_INTERVAL: String(interval),
      // The defaults: the tests' own would have the master list read all the time.
      SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '300',
      SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '600',
    };
  }

  /**
   * @param {number} port
   * @param {Record<string, string>} [env]
   */
  async start(port, env = {}) {
    const server = await startServer(scope, { port, env: { ...this.env, ...env }, wait: false });
    this.forget(server);
    server.onLog = ({ code, message: text }, at) => {
      if (code !== 'MEMBER_ONLINE' && code !== 'MEMBER_OFFLINE') return;
      const [url = ''] = text.split(' ');
      this.#said.get(server)?.set(url, { online: code === 'MEMBER_ONLINE', at });
      this.#news = Date.now();
    };
    await server.launched();
    return server;
  }

  /** @param {Server} server that begins anew */
  forget(server) {
    this.#said.set(server, new Map());
  }

  /** @param {number} count */
  async fill(count) {
    const ports = await freePorts(count);
    while (ports.length > 0) {
      const batch = ports.splice(0, BATCH).map((port) => this.start(port));
      this.servers.push(...(await Promise.all(batch)));
    }
    const ms = await this.rest(this.servers, this.servers, true, Date.now());
    if (ms === undefined) throw new Error(`${count} servers have not found each other`);
    await assertAgreed(this.servers, { online: this.servers });
  }

  /** @param {Server} one */
  others(one) {
    return this.servers.filter((server) => server !== one);
  }

  /**
   * Waits until all `viewers` have said it of all `about`, and nothing has changed for a moment.
   *
   * @param {Server[]} viewers
   * @param {Server[]} about
   * @param {boolean} online
   * @param {number} since
   * @returns {Promise<number | undefined>} ms from `since` until the last of them said so; undefined: not within
   *   the limit
   */
  async rest(viewers, about, online, since) {
    let last = since;
    const isSo = () => {
      last = since;
      for (const viewer of viewers) {
        for (const { baseUrl } of about) {
          if (viewer.baseUrl === baseUrl) continue;
          const said = this.#said.get(viewer)?.get(baseUrl);
          if (said?.online !== online) return false;
          last = Math.max(last, said.at);
        }
      }
      return Date.now() - Math.max(since, this.#news) >= QUIET;
    };
    while (!isSo()) {
      if (Date.now() - since > LIMIT) return undefined;
      await sleep(20);
    }
    return last - since;
  }

  /** @param {Server} server that all shall list online, and that shall list all */
  async restored(server) {
    const since = Date.now();
    const there = await this.rest(this.servers, [server], true, since);
    const back = await this.rest([server], this.servers, true, since);
    if (there === undefined || back === undefined) throw new Error(`${server.baseUrl} is not listed by all again`);
  }
}

module.exports = { Cluster, LIMIT };
