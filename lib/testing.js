'use strict';

// A cluster that exists only in this process, for tests of programs: the functions of the package return what the test has set.

const { Buffer } = require('node:buffer');
const { createHash } = require('node:crypto');
const { version } = require('../package.json');
const index = require('../index.js');
const { engine } = require('./engine.js');
const { emitPending, forgetEvents } = require('./events.js');
const { forgetListResponses } = require('./list-response.js');
const { checkOptions, kinds, shown } = require('./options.js');
const { flagsOf } = require('./packed-lists.js');
const { forgetLists } = require('./server-lists.js');
const { tagsKind } = require('./tags.js');
const { isHttpUrl, toBaseUrl } = require('./urls.js');

/** @typedef {import('./testing.d.ts').FakeServer} FakeServer */
/** @typedef {Omit<Required<FakeServer>, 'reason'> & Pick<FakeServer, 'reason'>} Server */
/** Rows that `decodeEvent` reads. @typedef {unknown[]} EventRow */

/** With 0, an owner is settled at once. */
const INTERVAL_MS = 0;

const LISTS = { online: kinds.list, offline: kinds.list };
const SERVER_OPTIONS = {
  baseUrl: kinds.any,
  monitor: kinds.flag,
  lastUpdate: kinds.count,
  tags: tagsKind,
  suspect: kinds.flag,
  ready: kinds.flag,
  reason: kinds.text,
};

/** The state of the fake cluster, and the events that its changes have caused. */
class FakeCluster {
  /** @type {Map<string, Server>} */
  online = new Map();
  /** @type {Map<string, Server>} */
  offline = new Map();
  /** Base URL of this server. */
  own = '';
  version = 0;
  /** @type {EventRow[]} */
  events = [];

  /** @param {import('./testing.d.ts').FakeLists} lists */
  set(lists) {
    this.change(...parse(lists));
  }

  /**
   * @param {Map<string, Server>} online
   * @param {Map<string, Server>} offline
   */
  change(online, offline) {
    const before = this.online;
    Object.assign(this, { online, offline });
    this.own ||= online.keys().next().value ?? '';
    this.version += 1;
    for (const [url, server] of online) this.#compare(before.get(url), server);
    for (const [url, server] of before) if (!online.has(url)) this.#add('offline', offline.get(url) ?? server);
    forgetListResponses();
    emitPending();
  }

  /**
   * Changes this server, in whichever list it is.
   * @param {Partial<Server>} changes
   * @param {boolean} [isOnline]
   */
  changeOwn(changes, isOnline = this.online.has(this.own)) {
    const online = new Map(this.online);
    const offline = new Map(this.offline);
    const server = { ...(online.get(this.own) ?? offline.get(this.own) ?? complete(this.own)), ...changes };
    online.delete(this.own);
    offline.delete(this.own);
    (isOnline ? online : offline).set(this.own, server);
    this.change(online, offline);
  }

  /**
   * @param {Server | undefined} before
   * @param {Server} server
   */
  #compare(before, server) {
    if (!before) this.#add('online', server);
    else if (JSON.stringify(before.tags) !== JSON.stringify(server.tags)) this.#add('tags', server);
    if (before && before.ready !== server.ready) this.#add('ready', server);
    if (server.suspect && !before?.suspect) this.#add('suspect', server);
  }

  /**
   * @param {import('../index.js').MemberEvent['type']} type
   * @param {Server} server
   */
  #add(type, { baseUrl, monitor, lastUpdate, reason, tags, ready }) {
    const why = type === 'offline' ? reason : null;
    const at = Date.now();
    this.events.push([type, baseUrl, +monitor, lastUpdate, why, null, at, 0, { ...tags }, null, null, +ready]);
  }
}

/**
 * Throws a TypeError for what a program of TypeScript could not pass.
 * @param {import('./testing.d.ts').FakeLists} lists
 * @returns {[online: Map<string, Server>, offline: Map<string, Server>]}
 */
function parse(lists) {
  checkOptions('createFakeCluster', lists, LISTS);
  const { online = [], offline = [] } = lists;
  return [byUrl(online), byUrl(offline)];
}

/**
 * @param {readonly (string | FakeServer)[]} servers
 * @returns {Map<string, Server>}
 */
function byUrl(servers) {
  const all = servers.map(complete);
  return new Map(all.map((server) => [server.baseUrl, server]));
}

/**
 * @param {string | FakeServer} given
 * @returns {Server}
 */
function complete(given) {
  const server = typeof given === 'string' ? { baseUrl: given } : given;
  checkOptions('createFakeCluster', server, SERVER_OPTIONS);
  if (!isHttpUrl(server.baseUrl)) throw new TypeError(`createFakeCluster: ${shown(server.baseUrl)} is not a base URL`);
  const defaults = { monitor: false, lastUpdate: Date.now(), tags: {}, suspect: false, ready: true };
  const values = Object.fromEntries(Object.entries(server).filter(([, value]) => value !== undefined));
  return { ...defaults, ...values, baseUrl: toBaseUrl(server.baseUrl) };
}

/**
 * The methods of the engine that the functions of the package call. The others answer that the engine is not started.
 * @param {FakeCluster} cluster
 */
const engineOf = (cluster) => ({
  start: () => Promise.resolve(null),
  leave: () => Promise.resolve(null),
  end() {},
  heartbeat() {},
  isWorking: () => true,
  isFound: () => false,
  health: () => (cluster.online.get(cluster.own)?.ready ? 'ready' : 'not ready'),
  hint: () => null,
  authorizeControl: () => null,
  authorizeList: (/** @type {string} */ header) => header !== '',
  listVersion: () => cluster.version,
  listDigest: () => cluster.version,
  refreshLastUpdates: () => false,
  list() {
    const online = [...cluster.online.values()];
    const hashes = BigUint64Array.from(online, ({ baseUrl }) => hash(baseUrl));
    const tags = JSON.stringify(online.map((server) => server.tags));
    return {
      digest: cluster.version,
      online: pack(online),
      offline: pack([...cluster.offline.values()]),
      tags,
      hashes,
    };
  },
  listJson: (/** @type {boolean} */ includesOffline) =>
    Buffer.from(JSON.stringify(index.shazbotGetServerList(includesOffline))),
  suspects: () => [...cluster.online.values()].filter(({ suspect }) => suspect).map(({ baseUrl }) => baseUrl),
  takeEvents: () => (cluster.events.length > 0 ? JSON.stringify(cluster.events.splice(0)) : ''),
  status: () => ({ own: JSON.stringify(ownRow(cluster)), members: JSON.stringify(members(cluster)) }),
  counters: () => JSON.stringify(countersRow(cluster)),
  control: (/** @type {boolean} */ online) => cluster.changeOwn({ reason: online ? undefined : 'drained' }, online),
  setReady: (/** @type {boolean} */ ready) => cluster.changeOwn({ ready }),
  setTags(/** @type {string[]} */ pairs) {
    const keys = pairs.filter((_, i) => i % 2 === 0);
    cluster.changeOwn({ tags: Object.fromEntries(keys.map((key, i) => [key, String(pairs[2 * i + 1])])) });
  },
});

/** @param {Server[]} servers */
const pack = (servers) => ({
  urls: JSON.stringify(servers.map(({ baseUrl }) => baseUrl)),
  flags: Uint8Array.from(servers, flagsOf),
  lastUpdates: Float64Array.from(servers, ({ lastUpdate }) => lastUpdate),
});

/**
 * Not the hash of a real cluster, so that other servers own the keys, but always the same one.
 * @param {string} baseUrl
 */
const hash = (baseUrl) => createHash('sha256').update(baseUrl).digest().readBigUInt64LE();

/** @param {FakeCluster} cluster */
function ownRow({ own, online }) {
  const server = online.get(own);
  const state = server ? 'online' : 'drained';
  return [Date.now(), INTERVAL_MS, own, state, Number(server?.monitor ?? false), null, null, null, null, [], 0];
}

/** @param {FakeCluster} cluster */
function members({ online, offline }) {
  const all = [...[...online.values()].map(stateOnline), ...[...offline.values()].map(stateOffline)];
  return all.map(([state, { baseUrl, monitor, lastUpdate, reason, tags, ready }]) => {
    const times = { since: lastUpdate, changedAt: lastUpdate };
    const why = state === 'offline' ? reason : undefined;
    const same = { protocol: 2, failures: 0, version };
    return { baseUrl, monitor, lastUpdate, state, reason: why, ...times, ...same, tags, ready };
  });
}

/** @type {(server: Server) => [string, Server]} */
const stateOnline = (server) => [server.suspect ? 'suspect' : 'online', server];
/** @type {(server: Server) => [string, Server]} */
const stateOffline = (server) => ['offline', server];

/** @param {FakeCluster} cluster */
function countersRow({ online, offline }) {
  const count = (/** @type {Map<string, Server>} */ list, /** @type {(server: Server) => boolean} */ test) =>
    [...list.values()].filter(test).length;
  const reasons = ['drained', 'left', 'failed', undefined].map((why) => count(offline, ({ reason }) => reason === why));
  const states = [count(online, ({ suspect }) => !suspect), count(online, ({ suspect }) => suspect), ...reasons];
  const zeros = (/** @type {number} */ length) => new Array(length).fill(0);
  return [zeros(6), [], [0], 0, zeros(2), zeros(4), states, [], zeros(5), [], []];
}

/** @type {typeof import('./testing.d.ts').createFakeCluster} */
function createFakeCluster(lists = {}) {
  const parsed = parse(lists);
  restore();
  if (engine.isWorking()) throw new Error('The engine runs: call shazbotShutDown before createFakeCluster');
  const cluster = new FakeCluster();
  // Own properties, in front of the methods of the engine: each file of the package holds this object.
  Object.assign(engine, engineOf(cluster));
  cluster.change(...parsed);
  return { set: (next) => cluster.set(next), restore, service };
}

/** The functions use the engine again, which is not started. */
function restore() {
  for (const name of Object.keys(engine)) delete (/** @type {any} */ (engine)[name]);
  forgetEvents();
  forgetLists();
  forgetListResponses();
}

/** @type {import('./testing.d.ts').FakeService} */
const service = {
  events: index.shazbotEvents,
  list: index.shazbotGetServerList,
  servers: index.shazbotServers,
  setTags: index.shazbotSetTags,
  pick: index.shazbotPick,
  owner: index.shazbotOwner,
  owners: index.shazbotOwners,
  waitFor: index.shazbotWaitFor,
  ready: index.shazbotReady,
  fetch: (path, init) => require('./fetch.js').shazbotFetch(path, init),
  status: index.shazbotStatus,
  drain: () => void engine.control(false),
  undrain: () => void engine.control(true),
};

module.exports.createFakeCluster = createFakeCluster;
