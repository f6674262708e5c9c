'use strict';

// What the time of the functions goes into: JSON, the boundary between JavaScript and the core, the core.

const { SECRET, environment, fileList } = require('../../__test__/support/cluster.js');
const { Engine } = require('../../lib/binary.js');
const { objects, pack, unpack } = require('../../lib/packed.js');
const { gossip, serverList } = require('../../lib/requests.js');
const { answer, scope } = require('./children.js');
const { interleave, quota, typical } = require('./meter.js');
const { cluster, fullMessages, idleMessage, introduce, newer, selfOf, textOf } = require('./servers.js');

const ORIGIN = 'http://127.0.0.1:9/';

/** @param {string} name */
async function start(name) {
  const engine = new Engine();
  const env = { ...environment(`${ORIGIN}${name}/`), ...fileList(scope).env, SHAZBOT_GOSSIP_INTERVAL: '3600' };
  await engine.start(env, () => {});
  const request = async (/** @type {string} */ header, /** @type {unknown} */ body) => gossip(engine, header, body);
  return { engine, request, wait: quota() };
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
  const small = newer(first);
  const reply = await ours.request(SECRET, JSON.parse(first));

  const legacy = await start('legacy');
  const others = cluster(ORIGIN, n, { name: 'l', ours: () => false });
  await introduce(legacy.request, others);
  const full = fullMessages({ ...others, online: [...others.online, await selfOf(legacy.request)] });
  const packed = (/** @type {string} */ body) => {
    const { online, offline } = JSON.parse(body);
    return pack(online, offline);
  };
  const [old = ''] = full(1);
  const parsed = (/** @type {number} */ count) => full(count).map((body) => JSON.parse(body));
  /** @type {any} */
  const answered = legacy.engine.gossip(packed(old));
  /** @type {any} */
  const listed = ours.engine.list();
  const [online, offline] = [listed.online.stamps, listed.offline.stamps];

  const many = Math.min(200, Math.ceil(30_000 / n));
  /**
   * @param {typeof ours} server
   * @param {(count: number) => string[]} messages
   * @param {(body: string) => unknown} made
   */
  const prepared = (server, messages, made) => async (/** @type {number} */ count) => {
    await server.wait(count);
    return messages(count).map(made);
  };
  const times = await interleave(
    {
      'nothing, native': { count: 1000, run: () => ours.engine.isWorking() },
      secret: { count: 1000, run: () => ours.engine.authorizeGossip(SECRET) },
      'parse, ours': { count: 100, prepare: small, run: (it) => JSON.parse(it) },
      'exchange, native': {
        count: 100,
        prepare: prepared(ours, small, (body) => textOf(JSON.parse(body))),
        run: (text) => ours.engine.exchange(text),
      },
      'stringify, ours': { count: 100, run: () => JSON.stringify(reply) },
      'parse, full': { count: many, prepare: full, run: (it) => JSON.parse(it) },
      pack: { count: many, prepare: parsed, run: (it) => pack(it.online, it.offline) },
      'gossip, native': { count: many, prepare: prepared(legacy, full, packed), run: (it) => legacy.engine.gossip(it) },
      'gossip of old stamps, native': {
        count: many,
        prepare: prepared(legacy, (count) => new Array(count).fill(old), packed),
        run: (it) => legacy.engine.gossip(it),
      },
      unpack: { count: many, run: () => [objects(unpack(answered.online)), objects(unpack(answered.offline))] },
      'stamps, native': { count: many, run: () => ours.engine.refresh(listed.digest, online, offline) },
      objects: { count: many, run: () => serverList(ours.engine, true) },
      'stringify, full': { count: many, prepare: parsed, run: (it) => JSON.stringify(it) },
    },
    rounds,
  );
  return Object.fromEntries(Object.entries(times).map(([name, each]) => [name, typical(each)]));
}

answer(measure);
