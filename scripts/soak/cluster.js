'use strict';

// The servers of the soak test, each in a network of its own, and whether their lists are right.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { isDeepStrictEqual } = require('node:util');

const { fileList, startServer, urls } = require('../../harness/cluster.js');
const { scope } = require('../bench/scope.js');
const { Judge } = require('./judge.js');

/** The ports that a server uses in turn: each gives it another base URL. Few, so that the list stops growing. */
const PORTS = [3000, 3001, 3002];
/** How many servers start at the same time. */
const BATCH = 5;

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */
/** @typedef {import('../../harness/cluster.js').Place} Place */
/** @typedef {import('./faults.js').Fault} Fault */
/** @typedef {Awaited<ReturnType<typeof import('../../harness/namespaces.js').startStar>>} Star */

class Cluster {
  /** @type {Server[]} */
  servers = [];
  judge = new Judge();
  #env;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #load;

  /** @param {Star} star @param {number} interval in s */
  constructor(star, interval) {
    this.star = star;
    this.#env = {
      ...fileList().env,
      SHAZBOT_GOSSIP_INTERVAL: String(interval),
      // Old base URLs must stay listed: servers would forget those that left in order after 6 h.
      SHAZBOT_FORGET_AFTER: '86400',
    };
  }

  async fill() {
    const places = [...this.star.places];
    while (places.length > 0) {
      const batch = places.splice(0, BATCH).map((place) => this.#start(place, /** @type {number} */ (PORTS[0])));
      this.servers.push(...(await Promise.all(batch)));
    }
    await this.#startLoad();
  }

  /** @param {Place} [place] @param {number} [port] */
  async #start(place, port) {
    const server = await startServer(scope, { place, port, env: this.#env, wait: false });
    this.judge.add(server);
    server.onLog = (log) => {
      const problem = this.judge.onLog(server.baseUrl, log);
      if (problem) console.error(problem);
    };
    await server.launched();
    return server;
  }

  async #startLoad() {
    const [execPath, ...execArgv] = [...this.star.center.enter, process.execPath];
    this.#load = fork(path.join(__dirname, 'load.js'), { execPath, execArgv });
    scope.after(() => this.#load?.kill('SIGKILL'));
    await this.#tellLoad();
  }

  async #tellLoad() {
    this.#load?.send({ urls: this.servers.map(({ baseUrl }) => baseUrl), unreachable: this.judge.unreachable });
    // An answer shows that the load has read the message.
    await this.requests();
  }

  /** @returns {Promise<{ answered: number, failed: number, unexpected: number }>} requests so far */
  async requests() {
    this.#load?.send('counts');
    const [counts] = await once(/** @type {import('node:events').EventEmitter} */ (this.#load), 'message');
    return counts;
  }

  /** Starts a server that has ended again, on another port. @param {Server} server */
  async rename(server) {
    const port = PORTS[(PORTS.indexOf(server.port) + 1) % PORTS.length];
    this.servers[this.servers.indexOf(server)] = await this.#start(server.place, port);
    await this.#tellLoad();
  }

  /** To call before faults act. @param {{ fault: Fault, server: Server }[]} victims */
  async expect(victims) {
    for (const { fault, server } of victims) {
      if (fault.isHarmless) continue;
      for (const { baseUrl } of fault.hitsAll ? this.servers : [server]) this.judge.excuse(baseUrl, fault.reason ?? '');
    }
    await this.#tellLoad();
  }

  /** To call when the faults have ended and the lists were checked. */
  async settle() {
    this.judge.settle();
    await this.#tellLoad();
    await this.#forget();
  }

  /**
   * What is wrong now. Each server should list online exactly those that run, with their own tags. It should list offline all
   * base URLs that were used before.
   *
   * @returns {Promise<string[]>}
   */
  async wrongLists() {
    const [online, lists] = await Promise.all([this.#ask('shazbotServers'), this.#ask('shazbotGetServerList', true)]);
    const tags = online.map((/** @type {import('../..').ShazbotServer[]} */ list, n) => {
      const own = list.find(({ baseUrl }) => baseUrl === this.servers[n]?.baseUrl);
      return [this.servers[n]?.baseUrl ?? '', own?.tags ?? {}];
    });
    const right = { online: Object.fromEntries(tags), offline: this.judge.ended };
    return this.servers.flatMap(({ baseUrl }, n) => {
      const list = /** @type {import('../..').ShazbotServer[]} */ (online[n]);
      const listed = {
        online: Object.fromEntries(list.map((it) => [it.baseUrl, it.tags])),
        offline: urls(lists[n]?.offline ?? []),
      };
      return isDeepStrictEqual(sorted(listed), sorted(right)) ? [] : [`${baseUrl} lists ${difference(listed, right)}`];
    });
  }

  /** @param {string} name @param {...unknown} args @returns {Promise<any[]>} the answer of each server */
  #ask(name, ...args) {
    return Promise.all(this.servers.map((server) => server.order('call', name, ...args)));
  }

  /** Drops what tests keep of each server: it would fill the memory of this process and of the servers. */
  async #forget() {
    for (const server of this.servers) {
      for (const list of [server.logs, server.events, server.warnings]) list.length = 0;
      await server.order('exchanges');
    }
  }
}

/** @typedef {{ online: Record<string, Record<string, string>>, offline: string[] }} Listed */

/** @param {Listed} listed */
const sorted = ({ online, offline }) => ({ online: Object.entries(online).sort(), offline });

/** @param {Listed} listed @param {Listed} right */
function difference(listed, right) {
  const without = (/** @type {string[]} */ a, /** @type {string[]} */ b) => a.filter((it) => !b.includes(it)).join(' ');
  const [now, wanted] = [Object.keys(listed.online), Object.keys(right.online)];
  const tags = wanted.filter((url) => listed.online[url] && !isDeepStrictEqual(listed.online[url], right.online[url]));
  const parts = {
    'online too': without(now, wanted),
    'not online': without(wanted, now),
    'offline too': without(listed.offline, right.offline),
    'not offline': without(right.offline, listed.offline),
    'other tags of': tags.join(' '),
  };
  return Object.entries(parts)
    .flatMap(([what, which]) => (which ? [`${what} ${which}`] : []))
    .join('; ');
}

module.exports = { Cluster };
