'use strict';

// Runs a cluster of real servers and records what each of them logs about the others.

const { setTimeout: sleep } = require('node:timers/promises');

const { assertAgreed, fileList, startServer } = require('../../../harness/cluster.js');
const { freePorts } = require('../../../harness/ports.js');
const { scope } = require('../scope.js');

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

/** How many processes start at the same time. */
const BATCH = 10;
/** How long one step may take, ms. */
const LIMIT = 120_000;
/** A cluster is at rest if no server has logged a change for this time, ms. */
const QUIET = 1_000;

/** Begins the name of the records that a server has other tags. */
const TAGS_OF = 'tags of ';

/** @template T @param {T[]} list @returns {T} a random element */
const draw = (list) => /** @type {T} */ (list[Math.floor(Math.random() * list.length)]);

/**
 * Servers send their log records with times over the parent's channel. Reading a hundred lists in a loop would cost
 * more than what is measured.
 */
class Cluster {
  /** @type {Server[]} */
  servers = [];
  /** @type {Map<Server, Map<string, { online: boolean, at: number }>>} The last record by viewer and base URL. */
  #records = new Map();
  #lastRecord = 0;
  /** How many records say that a server is offline. */
  deaths = 0;

  /**
   * @param {number} interval in s
   * @param {import('../../../harness/cluster.js').ServerOptions} [options] of each server
   */
  constructor(interval, options = {}) {
    this.options = options;
    this.env = {
      ...fileList().env,
      ...options.env,
      SHAZBOT_GOSSIP_INTERVAL: String(interval),
      // The defaults of the package: with those of the tests the servers would read the master list all the time.
      SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '300',
      SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '600',
    };
  }

  /**
   * @param {number} port
   * @param {Record<string, string>} [env]
   * @param {import('../../../harness/cluster.js').Place} [place]
   */
  async start(port, env = {}, place = this.options.place) {
    const options = { ...this.options, port, place, env: { ...this.env, ...env }, wait: false };
    const server = await startServer(scope, options);
    this.forget(server);
    server.onLog = ({ code, message: text }, at) => {
      const [url = ''] = text.split(' ');
      if (code === 'MEMBER_TAGS') return this.record(server, `${TAGS_OF}${url}`, true, at);
      if (code !== 'MEMBER_ONLINE' && code !== 'MEMBER_OFFLINE') return;
      this.record(server, url, code === 'MEMBER_ONLINE', at);
    };
    await server.launched();
    return server;
  }

  /**
   * @param {Server} viewer
   * @param {string} baseUrl that it has logged
   * @param {boolean} online
   * @param {number} at
   */
  record(viewer, baseUrl, online, at) {
    this.#records.get(viewer)?.set(baseUrl, { online, at });
    if (!online) this.deaths += 1;
    this.#lastRecord = Date.now();
  }

  /** @param {Server} server whose records no longer count because it starts again */
  forget(server) {
    this.#records.set(server, new Map());
  }

  /** @param {number} count */
  async fill(count) {
    const ports = await freePorts(count);
    while (ports.length > 0) {
      const batch = ports.splice(0, BATCH).map((port) => this.start(port));
      this.servers.push(...(await Promise.all(batch)));
    }
    await this.found();
    await assertAgreed(this.servers, { online: this.servers });
  }

  /** Waits until all list each other online. */
  async found() {
    const ms = await this.rest(this.servers, this.servers, true, Date.now());
    const count = this.servers.length;
    if (ms === undefined) throw new Error(`${count} servers did not find each other within ${LIMIT / 1000} s`);
  }

  /**
   * Waits until all others have logged that this server has other tags. Only once for each server.
   *
   * @param {Server} server
   * @param {number} since
   */
  tagged(server, since) {
    return this.rest(this.others(server), [{ baseUrl: `${TAGS_OF}${server.baseUrl}` }], true, since);
  }

  /** @param {Server} one */
  others(one) {
    return this.servers.filter((server) => server !== one);
  }

  /**
   * Waits until all `viewers` have logged this state of all `subjects`, and the cluster is at rest.
   *
   * @param {Server[]} viewers
   * @param {{ baseUrl: string }[]} subjects
   * @param {boolean} online
   * @param {number} since
   * @returns {Promise<number | undefined>} ms from `since` to the last of these records; undefined if that takes longer
   *   than the limit
   */
  async rest(viewers, subjects, online, since) {
    let last = since;
    const isAtRest = () => {
      last = since;
      for (const viewer of viewers) {
        for (const { baseUrl } of subjects) {
          if (viewer.baseUrl === baseUrl) continue;
          const record = this.#records.get(viewer)?.get(baseUrl);
          if (record?.online !== online) return false;
          last = Math.max(last, record.at);
        }
      }
      return Date.now() - Math.max(since, this.#lastRecord) >= QUIET;
    };
    while (!isAtRest()) {
      if (Date.now() - since > LIMIT) return undefined;
      await sleep(20);
    }
    return last - since;
  }

  /**
   * Waits until all list this server online, and it lists all.
   *
   * @param {Server} server
   */
  async restored(server) {
    const since = Date.now();
    const listed = await this.rest(this.servers, [server], true, since);
    const lists = await this.rest([server], this.servers, true, since);
    if (listed === undefined || lists === undefined) {
      throw new Error(`${server.baseUrl} and the others did not list each other within ${LIMIT / 1000} s`);
    }
  }
}

module.exports = { Cluster, LIMIT, draw };
