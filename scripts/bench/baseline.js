'use strict';

// What version 1 does, in plain JavaScript and as fast as that can be made: what the package is compared with. Its
// defects are there too where they cost or spare work: the lists that it hands out are its own, and nothing is checked.

/** @typedef {import('../..').GossipServer} Entry as it came in, fields that version 1 does not know included */
/** @typedef {{ online: Entry[], offline?: Entry[] }} Lists */

const DAY = 24 * 60 * 60 * 1000;

/** Entries in an array that can be handed out as it is, and where each of them is. */
class List {
  /** @type {Entry[]} */
  entries = [];
  /** @type {Map<string, number>} */
  #places = new Map();

  /** @param {string} baseUrl */
  get(baseUrl) {
    const place = this.#places.get(baseUrl);
    return place === undefined ? undefined : this.entries[place];
  }

  /**
   * @param {Entry} entry
   * @param {boolean} [whatever] it is taken even if it is no newer than what is there
   */
  take(entry, whatever = false) {
    const place = this.#places.get(entry.baseUrl);
    if (place === undefined) {
      this.#places.set(entry.baseUrl, this.entries.length);
      this.entries.push(entry);
    } else if (whatever || entry.lastUpdate > /** @type {Entry} */ (this.entries[place]).lastUpdate) {
      this.entries[place] = entry;
    }
  }

  /** @param {string} baseUrl */
  delete(baseUrl) {
    const place = this.#places.get(baseUrl);
    if (place === undefined) return;
    this.#places.delete(baseUrl);
    const last = /** @type {Entry} */ (this.entries.pop());
    if (place === this.entries.length) return;
    this.entries[place] = last;
    this.#places.set(last.baseUrl, place);
  }
}

/** One server of version 1. */
class Baseline {
  #online = new List();
  #offline = new List();
  #self;
  #secret;
  #controlSecret;

  /** @param {{ baseUrl: string, secret: string, controlSecret: string }} settings */
  constructor({ baseUrl, secret, controlSecret }) {
    this.#self = { baseUrl, monitor: false, lastUpdate: 0 };
    this.#secret = secret;
    this.#controlSecret = controlSecret;
    this.#stamp();
  }

  // Undoes a drain: the own entry goes back to online at every gossip.
  #stamp() {
    this.#self.lastUpdate = Date.now();
    this.#online.take(this.#self, true);
  }

  /** @param {Lists} message */
  merge({ online, offline = [] }) {
    for (const entry of online) {
      this.#online.take(entry);
      // However new the offline entry was.
      if (this.#offline.entries.length > 0 && entry.baseUrl !== this.#self.baseUrl) this.#offline.delete(entry.baseUrl);
    }
    for (const entry of offline) {
      const known = this.#online.get(entry.baseUrl);
      if (known && known.lastUpdate >= entry.lastUpdate) continue;
      if (known) this.#online.delete(entry.baseUrl);
      this.#offline.take(entry);
    }
    const oldest = Date.now() - DAY;
    // From the end, because the last takes the place of one that goes.
    for (let place = this.#offline.entries.length - 1; place >= 0; place--) {
      const { baseUrl, lastUpdate } = /** @type {Entry} */ (this.#offline.entries[place]);
      if (lastUpdate < oldest) this.#offline.delete(baseUrl);
    }
  }

  #message() {
    return /** @type {const} */ ({
      message: 'gossip',
      online: this.#online.entries,
      offline: this.#offline.entries,
    });
  }

  /** @type {typeof import('../..').shazbotGossipRequest} */
  async gossipRequest(authorization, body) {
    if (authorization !== this.#secret) throw new Error('Unauthorized: Invalid SHAZBOT_SECRET');
    this.merge(body);
    this.#stamp();
    return this.#message();
  }

  /** @type {typeof import('../..').shazbotListRequest} */
  async listRequest(authorization) {
    return this.serverList(authorization === this.#controlSecret);
  }

  /** @type {typeof import('../..').shazbotControlRequest} */
  async controlRequest(authorization, { online }) {
    if (authorization !== this.#controlSecret) throw new Error('Unauthorized: Invalid SHAZBOT_CONTROL_SECRET');
    this.#self.lastUpdate = Date.now();
    (online ? this.#offline : this.#online).delete(this.#self.baseUrl);
    (online ? this.#online : this.#offline).take(this.#self, true);
  }

  /** @type {typeof import('../..').shazbotGetServerList} */
  serverList(includeOffline = false) {
    const online = this.#online.entries;
    return includeOffline ? { online, offline: this.#offline.entries } : { online };
  }

  /** @param {string} peer a base URL; gossips with the server there */
  async gossip(peer) {
    this.#stamp();
    const answer = await fetch(`${peer}clustershazbot/gossip`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: this.#secret },
      body: JSON.stringify(this.#message()),
      signal: AbortSignal.timeout(5_000),
    });
    if (!answer.ok) throw new Error(`${peer} answered ${answer.status}`);
    this.merge(/** @type {Lists} */ (await answer.json()));
  }
}

module.exports = { Baseline };
