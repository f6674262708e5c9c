'use strict';

// Decides whether what the soak test's servers log about each other is true.

/** @typedef {{ baseUrl: string, exit?: unknown }} Process `exit` is set if it has ended */

class Judge {
  /** @type {string[]} Wrong lists, and servers that were listed online again after their end. */
  wrong = [];
  /** @type {string[]} What servers logged when they listed one offline for no reason. */
  falseDeaths = [];
  /** @type {Map<string, Process>} By base URL: the last process that had it. */
  #processes = new Map();
  /** @type {Map<string, string>} By base URL: what a log record must contain if it reports this server offline. '' allows any reason. */
  #excused = new Map();
  /** Pairs of base URLs: the first server last logged that the second is offline. */
  #offline = new Set();
  /** Base URLs that were not in use when lists were last checked: every server knows that they are offline. */
  #settled = new Set();

  /** To call when a process starts. A restart needs no call. @param {Process} server */
  add(server) {
    this.#processes.set(server.baseUrl, server);
  }

  /** @param {string} url @param {string} reason */
  excuse(url, reason) {
    // A drained server may also be on the other side of a partition.
    if (this.#excused.get(url) !== '') this.#excused.set(url, reason);
  }

  /** Base URLs of the servers that others may be unable to reach. */
  get unreachable() {
    return [...this.#excused].filter(([, reason]) => reason === '').map(([url]) => url);
  }

  /** Base URLs that were used and are not in use now, sorted: all servers must list them offline. */
  get ended() {
    return [...this.#processes.keys()].filter((url) => !this.#isInUse(url)).sort();
  }

  /** To call when the faults have ended and the lists were checked. */
  settle() {
    this.#excused.clear();
    this.#settled = new Set(this.ended);
  }

  /**
   * @param {string} observer base URL of the server that logged it
   * @param {{ code: string, message: string }} log
   * @returns {string | undefined} what is wrong with it
   */
  onLog(observer, { code, message }) {
    const [url = ''] = message.split(' ');
    if (code === 'MEMBER_OFFLINE') return this.#onOffline(observer, url, message);
    if (code === 'MEMBER_ONLINE') return this.#onOnline(observer, url, message);
    return undefined;
  }

  /** @param {string} observer @param {string} url @param {string} message */
  #onOffline(observer, url, message) {
    this.#offline.add(`${observer} ${url}`);
    const reason = this.#excused.get(url);
    const isExcused = (reason !== undefined && message.includes(reason)) || this.#excused.get(observer) === '';
    if (isExcused || !this.#isInUse(url)) return undefined;
    return added(this.falseDeaths, `${observer}: ${message}`);
  }

  /** @param {string} observer @param {string} url @param {string} message */
  #onOnline(observer, url, message) {
    const wasOffline = this.#offline.delete(`${observer} ${url}`);
    // A server that starts may read a list that still has one that was killed a moment ago.
    const mayBeStale = !wasOffline && this.#processes.has(url) && !this.#settled.has(url);
    if (mayBeStale || this.#isInUse(url)) return undefined;
    return added(this.wrong, `${observer}: ${message}, but its process has ended`);
  }

  /** From the start of a process until its end. @param {string} url */
  #isInUse(url) {
    const server = this.#processes.get(url);
    return server !== undefined && !server.exit;
  }
}

/** @param {string[]} list @param {string} text */
function added(list, text) {
  list.push(text);
  return text;
}

module.exports = { Judge };
