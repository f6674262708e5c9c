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
  await engine.start(env, () => {});
  const request = async (/** @type {string} */ header, /** @type {unknown} */ body) => gossip(header, body);
  return { engine, request, list, serverList, wait: quota() };
}

/** @param {{ n: number, rounds: number }} options */
async function measure({ n, rounds }) {
  const ours = await start('ours');
  const servers = cluster(ORIGIN, n);
  await introduce(ours.request, servers);
  const first = await idleMessage(
    async (body) => JSON.stringify(await ours.request(SECRET, JSON.parse(body))),
    servers,
  );
  const small = newer(first, servers);

  const legacy = await start('legacy');
  const others = cluster(ORIGIN, n, { name: 'l', ours: () => false });
  await introduce(legacy.request, others);
  const full = fullMessages({ ...others, online: [...others.online, await selfOf(legacy.request)] });
  const packed = (/** @type {string} */ body) => {
    const { online, offline } = JSON.parse(body);
    return pack(online, offline);
  };
  const parsed = (/** @type {number} */ count) => full(count).map((body) => JSON.parse(body));
  /** @type {any} */
  const answered = legacy.engine.gossip(packed(/** @type {string} */ (full(1)[0])));
  const answer = () => [toObjects(unpack(answered.online)), toObjects(unpack(answered.offline))];
  const reply = await ours.request(SECRET, JSON.parse(first));
  /** @type {any} */
  const listed = ours.engine.list();
  const [online, offline] = [listed.online.lastUpdates, listed.offline.lastUpdates];

  const many = Math.min(200, Math.ceil(30_000 / n));
  /** New objects each time, as in a program. @param {() => unknown} make */
  const made = (make) => (/** @type {number} */ count) => Array.from({ length: count }, make);
  /** A whole exchange. @param {typeof ours} server @param {(count: number) => string[]} messages @param {number} count */
  const whole = (server, messages, count) => ({
    count,
    prepare: prepared(server, messages, (body) => body),
    run: async (/** @type {string} */ body) => JSON.stringify(await server.request(SECRET, JSON.parse(body))),
  });
  /**
   * @param {typeof ours} server
   * @param {(count: number) => string[]} messages
   * @param {(body: string) => unknown} given
   */
  const prepared = (server, messages, given) => async (/** @type {number} */ count) => {
    await server.wait(count);
    return messages(count).map(given);
  };
  const times = await interleave(
    {
      'nothing, native': { count: 1000, run: () => ours.engine.isWorking() },
      secret: { count: 1000, run: () => ours.engine.authorizeGossip(SECRET) },
      'parse, ours': { count: 100, prepare: small, run: (it) => JSON.parse(it) },
      'exchange, native': {
        count: 100,
        prepare: prepared(ours, small, (body) => textOf(JSON.parse(body))),
        run: (text) => ours.engine.exchange(SECRET, text),
      },
      'stringify, ours': { count: 100, run: () => JSON.stringify(reply) },
      'whole, ours': whole(ours, small, 100),
      'parse, full': { count: many, prepare: full, run: (it) => JSON.parse(it) },
      pack: { count: many, prepare: parsed, run: (it) => pack(it.online, it.offline) },
      'gossip, native': { count: many, prepare: prepared(legacy, full, packed), run: (it) => legacy.engine.gossip(it) },
      unpack: { count: many, run: answer },
      'stringify, full': {
        count: many,
        prepare: made(() => ({ message: 'gossip', answered: answer() })),
        run: (it) => JSON.stringify(it),
      },
      'whole, full': whole(legacy, full, many),
      'stamps, native': { count: many, run: () => ours.engine.refreshLastUpdates(listed.digest, online, offline) },
      objects: { count: many, run: () => ours.serverList(true) },
      'stringify, list': {
        count: many,
        prepare: made(() => ours.serverList(true)),
        run: (it) => JSON.stringify(it),
      },
      'whole, list': {
        ...whole(ours, small, Math.min(many, 20)),
        before: (body) => ours.request(SECRET, JSON.parse(body)),
        run: async () => JSON.stringify(ours.list(CONTROL_SECRET)),
      },
    },
    rounds,
  );
  return Object.fromEntries(Object.entries(times).map(([name, each]) => [name, typical(each)]));
}

answer(measure);
