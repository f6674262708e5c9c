'use strict';

// A fast implementation of version 1 in plain JavaScript, with which the package is compared. It has those defects of
// version 1 that change its cost: it returns its own arrays instead of copies, and does not check its input.

/** @typedef {import('../../..').GossipServer} Entry as received, with fields that version 1 does not know */
/** @typedef {{ online: Entry[], offline?: Entry[] }} Lists */

const DAY = 24 * 60 * 60 * 1000;

/** Entries in an array that is returned without a copy, with an index by base URL. */
class List {
  /** @type {Entry[]} */
  entries = [];
  /** @type {Map<string, number>} */
  #positions = new Map();

  /** @param {string} baseUrl */
  get(baseUrl) {
    const position = this.#positions.get(baseUrl);
    return position === undefined ? undefined : this.entries[position];
  }

  /**
   * @param {Entry} entry
   * @param {boolean} [force] replaces a newer entry as well
   */
  take(entry, force = false) {
    const position = this.#positions.get(entry.baseUrl);
    if (position === undefined) {
      this.#positions.set(entry.baseUrl, this.entries.length);
      this.entries.push(entry);
    } else if (force || entry.lastUpdate > /** @type {Entry} */ (this.entries[position]).lastUpdate) {
      this.entries[position] = entry;
    }
  }

  /** @param {string} baseUrl */
  delete(baseUrl) {
    const position = this.#positions.get(baseUrl);
    if (position === undefined) return;
    this.#positions.delete(baseUrl);
    const last = /** @type {Entry} */ (this.entries.pop());
    if (position === this.entries.length) return;
    this.entries[position] = last;
    this.#positions.set(last.baseUrl, position);
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

  // A defect of version 1: this undoes a drain.
  #stamp() {
    this.#self.lastUpdate = Date.now();
    this.#online.take(this.#self, true);
  }

  /** @param {Lists} message */
  merge({ online, offline = [] }) {
    for (const entry of online) {
      this.#online.take(entry);
      // A defect of version 1: also if the offline entry is newer.
      if (this.#offline.entries.length > 0 && entry.baseUrl !== this.#self.baseUrl) this.#offline.delete(entry.baseUrl);
    }
    for (const entry of offline) {
      const known = this.#online.get(entry.baseUrl);
      if (known && known.lastUpdate >= entry.lastUpdate) continue;
      if (known) this.#online.delete(entry.baseUrl);
      this.#offline.take(entry);
    }
    const oldest = Date.now() - DAY;
    // From the end, because `delete` moves the last entry into the gap.
    for (let position = this.#offline.entries.length - 1; position >= 0; position--) {
      const { baseUrl, lastUpdate } = /** @type {Entry} */ (this.#offline.entries[position]);
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

  /** @type {typeof import('../../..').shazbotGossipRequest} */
  async gossipRequest(authorization, body) {
    if (authorization !== this.#secret) throw new Error('Unauthorized: Invalid SHAZBOT_SECRET');
    this.merge(body);
    this.#stamp();
    return this.#message();
  }

  /** @type {typeof import('../../..').shazbotListRequest} */
  async listRequest(authorization) {
    return this.serverList(authorization === this.#controlSecret);
  }

  /** @type {typeof import('../../..').shazbotControlRequest} */
  async controlRequest(authorization, { online }) {
    if (authorization !== this.#controlSecret) throw new Error('Unauthorized: Invalid SHAZBOT_CONTROL_SECRET');
    this.#self.lastUpdate = Date.now();
    (online ? this.#offline : this.#online).delete(this.#self.baseUrl);
    (online ? this.#online : this.#offline).take(this.#self, true);
  }

  /** @type {typeof import('../../..').shazbotGetServerList} */
  serverList(includeOffline = false) {
    const online = this.#online.entries;
    return includeOffline ? { online, offline: this.#offline.entries } : { online };
  }

  /** Gossips with a server. @param {string} peer its base URL */
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
