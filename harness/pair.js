'use strict';

const { agree, fileList, startServers } = require('./cluster.js');
const { nobody } = require('./fake-peer.js');
const { entry, tell } = require('./gossip.js');
const { until } = require('./until.js');

/** @typedef {Awaited<ReturnType<typeof startServers>>} TestServers */
/** @typedef {{ status: number, request: number, answer: number }} Exchange the bodies in bytes */
/** Why servers are offline. Those that left are never tried again, the dead now and then. @typedef {'left' | 'dead'} Why */

/** So many exchanges, all alike, are rest: what is told on, and what is repaired, is not like the others. */
const REST = 10;
/** By how much they may differ, and be alike. */
const ALIKE = 1.2;

/**
 * Two servers that gossip every second, and know others that are offline: so many, told by version 1 servers.
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
  const base = await nobody();
  const others = Array.from({ length: count }, (_, n) => {
    const other = entry(`${base}server-${n}/`);
    return why === 'left' ? { ...other, shazbot: `${other.lastUpdate}.1.l` } : other;
  });
  await Promise.all(servers.map(({ baseUrl }) => tell(baseUrl, 'offline', others)));
  return new Pair(servers, count, why);
}

class Pair {
  /** @type {Exchange[][]} What each has answered. */
  #answered = [[], []];

  /**
   * @param {TestServers} servers
   * @param {number} count of the others
   * @param {Why} why
   */
  constructor(servers, count, why) {
    this.servers = servers;
    this.count = count;
    this.why = why;
  }

  /** Everything that both have answered so far, each in its order. */
  async exchanges() {
    for (const [n, server] of this.servers.entries()) this.#answered[n]?.push(...(await server.order('exchanges')));
    return this.#answered;
  }

  /** Waits until both know all others, and nothing but what is always said is said; returns the bytes of an exchange. */
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
    // Those before are alike too, where the machine is slow and each is a repair.
    const before = (await this.exchanges()).map((exchanges) => exchanges.length);
    return until(
      async () => {
        const since = (await this.exchanges()).map((exchanges, n) => exchanges.slice(before[n]));
        const last = since.flatMap((exchanges) => exchanges.slice(-REST)).map(bytes);
        const alike = Math.max(...last) <= ALIKE * Math.min(...last);
        return last.length === 2 * REST && alike && mean(last);
      },
      { timeout: 60_000, every: 500, what: `${REST} exchanges are alike` },
    );
  }
}

/** @param {Exchange} exchange */
const bytes = ({ request, answer }) => request + answer;
/** @param {number[]} numbers */
const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

module.exports = { bytes, mean, startPair };
