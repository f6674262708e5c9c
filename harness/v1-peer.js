'use strict';

// A stand-in for version 1 with the API, the messages and the defects of version 1. server.js loads it instead of the
// package. Written from a description of version 1's behaviour.

/** @typedef {import('..').GossipServer} Entry as received, with fields that version 1 does not know */
/** @typedef {{ online: Entry[], offline?: Entry[] }} Lists */

const NOT_STARTED = 'Clustershazbot engine not started';
const DAY = 24 * 60 * 60 * 1000;

/** @type {ReturnType<typeof create> | undefined} */
let running;

/** @param {string} name */
function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`Environment variable ${name} is required`);
  return value;
}

/**
 * @param {string} name
 * @param {number} fallback in seconds
 * @returns {number} in ms
 */
const duration = (name, fallback) => Number.parseFloat(process.env[name] || String(fallback)) * 1000;
/** @param {string} name */
const flag = (name) => (process.env[name] ?? '').toLowerCase() === 'true';
/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function create() {
  const secret = required('SHAZBOT_SECRET');
  const controlSecret = required('SHAZBOT_CONTROL_SECRET');
  const baseUrl = required('SHAZBOT_BASE_URL');
  const masterList = required('SHAZBOT_MASTER_LIST');
  const masterListUpdate = required('SHAZBOT_MASTER_LIST_UPDATE');
  const masterListAuth = required('SHAZBOT_MASTER_LIST_UPDATE_AUTH');
  const interval = duration('SHAZBOT_GOSSIP_INTERVAL', 30);
  const announceMinimum = duration('SHAZBOT_MASTER_ANNOUNCE_MINIMUM', 300);
  const announceInterval = duration('SHAZBOT_MASTER_ANNOUNCE_INTERVAL', 600);

  /** @type {Map<string, Entry>} */
  const online = new Map();
  /** @type {Map<string, Entry>} */
  const offline = new Map();
  // One object for both lists: gossip puts a drained server into both, with equal stamps.
  const self = { baseUrl, monitor: flag('SHAZBOT_MONITOR'), lastUpdate: 0 };
  /** @type {Set<NodeJS.Timeout>} */
  const timers = new Set();

  const lists = () => ({ online: [...online.values()], offline: [...offline.values()] });
  const message = () => ({ message: 'gossip', ...lists() });

  // A defect of version 1: this undoes a drain.
  function stampSelf() {
    self.lastUpdate = Date.now();
    online.set(baseUrl, self);
  }

  /** @param {Lists} other */
  function merge(other) {
    for (const entry of other.online) {
      const known = online.get(entry.baseUrl);
      if (!known || entry.lastUpdate > known.lastUpdate) online.set(entry.baseUrl, entry);
      // A defect of version 1: also if the offline entry is newer.
      if (entry.baseUrl !== baseUrl) offline.delete(entry.baseUrl);
    }
    for (const entry of other.offline ?? []) {
      const known = online.get(entry.baseUrl);
      if (known && known.lastUpdate >= entry.lastUpdate) continue;
      online.delete(entry.baseUrl);
      const dead = offline.get(entry.baseUrl);
      if (!dead || entry.lastUpdate > dead.lastUpdate) offline.set(entry.baseUrl, entry);
    }
    for (const [url, entry] of offline) {
      if (entry.lastUpdate < Date.now() - DAY) offline.delete(url);
    }
  }

  /** @param {string} peer */
  async function exchange(peer) {
    stampSelf();
    return send(peer);
  }

  /** @param {string} peer */
  async function send(peer) {
    const answer = await fetch(`${peer}clustershazbot/gossip`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: secret },
      body: JSON.stringify(message()),
      signal: AbortSignal.timeout(5_000),
    });
    if (!answer.ok) throw new Error(`${peer} answered ${answer.status}`);
    return /** @type {Promise<Lists>} */ (answer.json());
  }

  async function round() {
    const peers = [...online.values()].filter((entry) => entry.baseUrl !== baseUrl);
    const peer = peers[Math.floor(Math.random() * peers.length)];
    if (!peer) return;
    let answer = await exchange(peer.baseUrl).catch(() => undefined);
    if (!answer) {
      await sleep(3_000);
      answer = await exchange(peer.baseUrl).catch(() => undefined);
    }
    if (answer) return merge(answer);
    // A defect of version 1: also if newer entries of the peer arrived in the meantime.
    online.delete(peer.baseUrl);
    offline.set(peer.baseUrl, { ...peer, lastUpdate: Date.now() });
  }

  function targets() {
    const peers = [...online.values()].filter((entry) => entry.baseUrl !== baseUrl);
    const drawn = peers.sort(() => Math.random() - 0.5).filter((entry, n) => n < 20 || entry.monitor);
    return drawn.map((entry) => entry.baseUrl);
  }

  async function download() {
    const answer = await fetch(masterList, { signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`the master list answered ${answer.status}`);
    merge(/** @type {Lists} */ (await answer.json()));
  }

  async function upload() {
    await fetch(masterListUpdate, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', authorization: masterListAuth },
      body: JSON.stringify({ online: [...online.values()] }),
      signal: AbortSignal.timeout(10_000),
    });
  }

  async function announce() {
    await download().catch(console.error);
    stampSelf();
    await upload().catch(console.error);
  }

  /**
   * @param {() => number} wait in ms
   * @param {() => Promise<unknown>} work
   */
  function repeat(wait, work) {
    const timer = setTimeout(() => {
      timers.delete(timer);
      repeat(wait, work);
      // No catch, like version 1: an answer that is not a message ends the process.
      work();
    }, wait());
    timers.add(timer);
  }

  return {
    secret,
    controlSecret,
    merge,
    message,
    lists,
    stampSelf,

    async start() {
      stampSelf();
      await download().catch(console.error);
      stampSelf();
      // Version 1 ignores the answers.
      await Promise.allSettled(targets().map(exchange));
      repeat(() => interval * (0.9 + 0.2 * Math.random()), round);
      repeat(() => announceMinimum + Math.random() * announceInterval, announce);
    },

    async shutDown() {
      for (const timer of timers) clearTimeout(timer);
      this.setOnline(false);
      await Promise.allSettled(targets().map(send));
      if (flag('SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN')) await upload().catch(console.error);
    },

    /** @param {boolean} on */
    setOnline(on) {
      self.lastUpdate = Date.now();
      (on ? offline : online).delete(baseUrl);
      (on ? online : offline).set(baseUrl, self);
    },
  };
}

function started() {
  if (!running) throw new Error(NOT_STARTED);
  return running;
}

async function shazbotStart() {
  if (running) return;
  running = create();
  await running.start();
}

async function shazbotShutDown() {
  await running?.shutDown();
  running = undefined;
}

/** @type {typeof import('..').shazbotGossipRequest} */
async function shazbotGossipRequest(authorization, body) {
  const engine = started();
  if (authorization !== engine.secret) throw new Error('Unauthorized: Invalid SHAZBOT_SECRET');
  engine.merge(body);
  engine.stampSelf();
  return /** @type {import('..').GossipMessage} */ (engine.message());
}

/** @type {typeof import('..').shazbotListRequest} */
async function shazbotListRequest(authorization) {
  const { online, offline } = started().lists();
  return authorization === started().controlSecret ? { online, offline } : { online };
}

/** @type {typeof import('..').shazbotControlRequest} */
async function shazbotControlRequest(authorization, message) {
  if (authorization !== started().controlSecret) throw new Error('Unauthorized: Invalid SHAZBOT_CONTROL_SECRET');
  started().setOnline(message.online);
}

/** @type {typeof import('..').shazbotGetServerList} */
function shazbotGetServerList(includeOffline = false) {
  const { online, offline } = started().lists();
  return includeOffline ? { online, offline } : { online };
}

module.exports = {
  shazbotControlRequest,
  shazbotGetServerList,
  shazbotGossipRequest,
  shazbotListRequest,
  shazbotShutDown,
  shazbotStart,
};
