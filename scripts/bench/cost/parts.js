'use strict';

// Child process that measures the parts of the functions: JSON, the boundary between JavaScript and the core, the core.

const { CONTROL_SECRET, SECRET, environment, fileList } = require('../../../harness/cluster.js');
const { freshEngine } = require('../../../harness/engine.js');
const { pack, toObjects, unpack } = require('../../../lib/packed-lists.js');
const { answer } = require('./children.js');
const { interleave, quota, typical } = require('./meter.js');
const { cluster, fullMessages, idleMessage, introduce, newer, selfOf, textOf } = require('./servers.js');

const ORIGIN = 'http://127.0.0.1:9/';

/** @param {string} name */
async function start(name) {
  freshEngine();
  // The files that `freshEngine` has just loaded, with an engine of their own.
  const { engine } = require('../../../lib/engine.js');
  const { gossip, list } = require('../../../lib/requests.js');
  const { serverList } = require('../../../lib/server-lists.js');
  const env = { ...environment(`${ORIGIN}${name}/`), ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '3600' };
  await engine.start(
    env,
    () => {},
    () => {},
  );
  const request = async (/** @type {string} */ header, /** @type {unknown} */ body) => gossip(header, body);
  return { engine, request, list, serverList, wait: quota() };
}

/** @typedef {Awaited<ReturnType<typeof start>>} Server */
/** @typedef {(count: number) => string[]} Messages */
/** @typedef {Record<string, import('./meter.js').Work<any>>} Works */

/** Makes new objects for each operation, as in a program. @param {() => unknown} make */
const made = (make) => (/** @type {number} */ count) => Array.from({ length: count }, make);

/**
 * Makes messages for a server, and waits while it would refuse them.
 *
 * @param {Server} server
 * @param {Messages} messages
 * @param {(body: string) => unknown} [toInput]
 */
const prepared =
  (server, messages, toInput = (body) => body) =>
  async (/** @type {number} */ count) => {
    await server.wait(count);
    return messages(count).map(toInput);
  };

/** A list as the check of a message hands it on. @param {unknown[]} items */
const listOf = (items) => ({ items, length: items.length });

/** A whole exchange. @param {Server} server @param {Messages} messages @param {number} count */
const whole = (server, messages, count) => ({
  count,
  prepare: prepared(server, messages),
  run: async (/** @type {string} */ body) => JSON.stringify(await server.request(SECRET, JSON.parse(body))),
});

/**
 * The parts of an exchange between servers of protocol 2.
 *
 * @param {Server} server
 * @param {Messages} messages
 * @returns {Promise<Works>}
 */
async function exchangeParts(server, messages) {
  const { engine, request } = server;
  const [first = ''] = messages(1);
  const reply = await request(SECRET, JSON.parse(first));
  return {
    'nothing, native': { count: 1000, run: () => engine.isWorking() },
    secret: { count: 1000, run: () => engine.authorizeGossip(SECRET) },
    'parse, ours': { count: 100, prepare: messages, run: (it) => JSON.parse(it) },
    'exchange, native': {
      count: 100,
      prepare: prepared(server, messages, (body) => textOf(JSON.parse(body))),
      run: (text) => engine.exchange(SECRET, text),
    },
    'stringify, ours': { count: 100, run: () => JSON.stringify(reply) },
    'whole, ours': whole(server, messages, 100),
  };
}

/**
 * The parts of an exchange with a version 1 peer.
 *
 * @param {Server} server
 * @param {Messages} messages
 * @param {number} count
 * @returns {Works}
 */
function fullParts(server, messages, count) {
  const { engine } = server;
  const packed = (/** @type {string} */ body) => {
    const { online, offline } = JSON.parse(body);
    return pack(listOf(online), listOf(offline));
  };
  /** @type {any} */
  const answered = engine.gossip(packed(/** @type {string} */ (messages(1)[0])));
  const unpacked = () => [toObjects(unpack(answered.online)), toObjects(unpack(answered.offline))];
  return {
    'parse, full': { count, prepare: messages, run: (it) => JSON.parse(it) },
    pack: {
      count,
      prepare: (n) => messages(n).map((body) => JSON.parse(body)),
      run: (it) => pack(listOf(it.online), listOf(it.offline)),
    },
    'gossip, native': { count, prepare: prepared(server, messages, packed), run: (it) => engine.gossip(it) },
    unpack: { count, run: unpacked },
    'stringify, full': {
      count,
      prepare: made(() => ({ message: 'gossip', answered: unpacked() })),
      run: (it) => JSON.stringify(it),
    },
    'whole, full': whole(server, messages, count),
  };
}

/**
 * The parts of a request for the list.
 *
 * @param {Server} server
 * @param {Messages} messages sent before each request
 * @param {number} count
 * @returns {Works}
 */
function listParts(server, messages, count) {
  const { engine, list, request, serverList } = server;
  /** @type {any} */
  const listed = engine.list(false);
  const [online, offline] = [listed.online.lastUpdates, listed.offline.lastUpdates];
  return {
    'stamps, native': { count, run: () => engine.refreshLastUpdates(listed.digest, online, offline) },
    objects: { count, run: () => serverList(true) },
    'stringify, list': { count, prepare: made(() => serverList(true)), run: (it) => JSON.stringify(it) },
    'whole, list': {
      ...whole(server, messages, Math.min(count, 20)),
      before: (body) => request(SECRET, JSON.parse(body)),
      run: async () => JSON.stringify(list(CONTROL_SECRET)),
    },
  };
}

/** @param {{ n: number, rounds: number }} options */
async function measure({ n, rounds }) {
  const ours = await start('ours');
  const servers = cluster(ORIGIN, n);
  await introduce(ours.request, servers);
  const ask = async (/** @type {string} */ body) => JSON.stringify(await ours.request(SECRET, JSON.parse(body)));
  const small = newer(await idleMessage(ask, servers), servers);

  const legacy = await start('legacy');
  const others = cluster(ORIGIN, n, { name: 'l', ours: () => false });
  await introduce(legacy.request, others);
  const full = fullMessages({ ...others, online: [...others.online, await selfOf(legacy.request)] });

  const many = Math.min(200, Math.ceil(30_000 / n));
  const works = {
    ...(await exchangeParts(ours, small)),
    ...fullParts(legacy, full, many),
    ...listParts(ours, small, many),
  };
  const times = await interleave(works, rounds);
  return Object.fromEntries(Object.entries(times).map(([name, each]) => [name, typical(each)]));
}

answer(measure);
