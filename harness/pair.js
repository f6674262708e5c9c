'use strict';

// Two real servers that gossip every second and know others that are offline.

const { agree, fileList, startServers } = require('./cluster.js');
const { unusedUrl } = require('./fake-peer.js');
const { entry, tell } = require('./gossip.js');
const { until } = require('./until.js');

/** @typedef {Awaited<ReturnType<typeof startServers>>} TestServers */
/** @typedef {{ status: number, request: number, answer: number }} Exchange with the bytes of the bodies */
/** Why servers are offline. Servers that left are never tried again, dead ones now and then. @typedef {'left' | 'dead'} Why */

/** The pair is at rest after this many exchanges of similar size: rumours and repairs are larger. */
const REST = 10;
/** The largest ratio between similar sizes. */
const ALIKE = 1.2;

/**
 * Starts the pair, and sends both the entries of `count` others in messages of version 1.
 *
 * @param {import('./cluster.js').Scope} scope
 * @param {number} count
 * @param {Why} why
 */
async function startPair(scope, count, why) {
  const env = {
    ...fileList().env,
    SHAZBOT_GOSSIP_INTERVAL: '1',
    SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '300',
    SHAZBOT_MASTER_ANNOUNCE_INTERVAL: '600',
  };
  const servers = await startServers(scope, 2, { env });
  await agree(servers, { online: servers });
  const base = await unusedUrl();
  const others = Array.from({ length: count }, (_, n) => {
    const other = entry(`${base}server-${n}/`);
    return why === 'left' ? { ...other, shazbot: `${other.lastUpdate}.1.l` } : other;
  });
  await Promise.all(servers.map(({ baseUrl }) => tell(baseUrl, 'offline', others)));
  return new Pair(servers, count, why);
}

class Pair {
  /** @type {Exchange[][]} The exchanges that each has answered. */
  #answered = [[], []];

  /**
   * @param {TestServers} servers
   * @param {number} count the number of others
   * @param {Why} why
   */
  constructor(servers, count, why) {
    this.servers = servers;
    this.count = count;
    this.why = why;
  }

  /** All exchanges that each has answered so far. */
  async exchanges() {
    for (const [n, server] of this.servers.entries()) this.#answered[n]?.push(...(await server.order('exchanges')));
    return this.#answered;
  }

  /** Waits until both know all others and only idle exchanges follow; returns the bytes of one. */
  async rest() {
    const { servers, count } = this;
    await until(
      async () => (await Promise.all(servers.map((it) => it.view()))).every((it) => it.offline.length === count),
      {
        timeout: 60_000,
        every: 500,
        what: `both know ${count} others`,
      },
    );
    // Leaves out earlier exchanges, which on a slow machine are all repairs of similar size.
    const before = (await this.exchanges()).map((exchanges) => exchanges.length);
    return until(
      async () => {
        const since = (await this.exchanges()).map((exchanges, n) => exchanges.slice(before[n]));
        const last = since.flatMap((exchanges) => exchanges.slice(-REST)).map(bytes);
        const alike = Math.max(...last) <= ALIKE * Math.min(...last);
        return last.length === 2 * REST && alike && mean(last);
      },
      { timeout: 60_000, every: 500, what: `${REST} exchanges have similar sizes` },
    );
  }
}

/** @param {Exchange} exchange */
const bytes = ({ request, answer }) => request + answer;
/** @param {number[]} numbers */
const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

module.exports = { bytes, mean, startPair };
