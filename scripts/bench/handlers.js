'use strict';

// What the functions cost that a program calls from its routes: a process of its own for each size of the cluster.

const assert = require('node:assert/strict');
const http = require('node:http');

const { CONTROL_SECRET, SECRET } = require('../../__test__/support/cluster.js');
const { startEngine } = require('../../__test__/support/engine.js');
const { freePorts } = require('../../__test__/support/ports.js');
const { until } = require('../../__test__/support/until.js');
const { Baseline } = require('./baseline.js');
const { answer, scope } = require('./children.js');
const { interleave, quota, typical } = require('./meter.js');
const { cluster, fullMessages, idleAnswer, introduce, newer, ofOurs, selfOf, textOf, words } = require('./servers.js');

/** @typedef {Awaited<ReturnType<typeof startEngine>> & { bodies: string[] }} Engine `bodies` that have come over HTTP */
/** @typedef {import('./servers.js').Cluster} Cluster */
/** @typedef {typeof import('../..').shazbotGossipRequest} GossipRequest */
/** @typedef {import('./meter.js').Time & { bytes: number }} Cost of one operation */

const OFFLINE_TOO = 'shazbotListRequest, offline too';
/** Characters of a URL, where bodies are to be large. */
const LONG = 200;
/** What those say who list the same: of themselves, a digest, stamps. */
const IDLE = '2sda';
/** Characters of a stamp that goes by place. */
const STAMP = 3;

/** Servers that all are here: whoever is asked answers. */
async function network() {
  const [port] = await freePorts(1);
  const origin = `http://127.0.0.1:${port}/`;
  /** @type {Map<string, Engine>} */
  const engines = new Map();
  /** @type {Map<string, import('./servers.js').Server>} */
  const others = new Map();
  const server = http.createServer(async (request, response) => {
    const baseUrl = `${origin}${String(request.url).slice(1).replace('clustershazbot/gossip', '')}`;
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const engine = engines.get(baseUrl);
    engine?.bodies.push(body);
    const message = JSON.parse(body);
    const other = others.get(baseUrl) ?? { baseUrl, life: undefined };
    const given = engine ? await engine.shazbotGossipRequest(SECRET, message) : idleAnswer(other, textOf(message));
    response.setHeader('content-type', 'application/json').end(JSON.stringify(given));
  });
  server.listen(port, '127.0.0.1');
  return {
    /** @param {number} n @param {Parameters<typeof cluster>[2]} options */
    cluster(n, options) {
      const made = cluster(origin, n, options);
      for (const one of made.online) others.set(one.baseUrl, one);
      return made;
    },
    /** @param {string} name @returns {Promise<Engine>} */
    async start(name) {
      const engine = { ...(await startEngine(scope, { SHAZBOT_BASE_URL: `${origin}${name}/` })), bodies: [] };
      engines.set(engine.baseUrl, engine);
      return engine;
    },
  };
}

/**
 * What one server of ours sends another that lists the same, as it comes in.
 *
 * @param {Engine} to
 * @param {Engine} from
 * @returns {Promise<string>}
 */
async function idleBody(to, from) {
  const { baseUrl, life } = await selfOf(to.shazbotGossipRequest);
  // It is told that it does not seem to answer, and speaks up.
  await from.shazbotGossipRequest(SECRET, ofOurs(`2 so${Date.now()}>${baseUrl}>${life} u`));
  // A small cluster is news to the other, which it tells on before that.
  return until(() => to.bodies.find((body) => lettersOf(body) === IDLE), { what: 'an idle message has come' });
}

/** The words of a message, each by its first letter. @param {string} json */
const lettersOf = (json) =>
  textOf(JSON.parse(json))
    .split(' ')
    .map(([letter]) => letter)
    .join('');

/**
 * That a server which was told a digest lists the same, and says nothing else.
 *
 * @param {string} json its answer
 * @param {string} asked what it was told
 */
function assertIdle(json, asked) {
  assert.deepEqual(words(textOf(JSON.parse(json)), 'd'), words(textOf(JSON.parse(asked)), 'd'));
  assert.equal(lettersOf(json), IDLE, 'an answer with which the exchange ends');
}

/**
 * The answer to a server that has lost all: as much as one message holds.
 *
 * @param {Engine} engine
 */
async function repair(engine) {
  const answered = await engine.shazbotGossipRequest(SECRET, ofOurs(`2 d0.0 w${'f'.repeat(256)}`));
  return JSON.stringify(answered);
}

/**
 * The answer to a server of version 1 that knows nobody: as much as one message holds, too.
 *
 * @param {Engine} engine
 */
async function whole(engine) {
  const answered = await engine.shazbotGossipRequest(SECRET, /** @type {any} */ ({ message: 'gossip', online: [] }));
  return JSON.stringify(answered);
}

/**
 * Messages that tell of one server that leaves and comes back, in turn.
 *
 * @param {Cluster} cluster
 */
function changes({ online: [first], since }) {
  const { baseUrl = '', life = '' } = first ?? {};
  const [, instance] = life.split('.');
  let stamp = since;
  return (/** @type {number} */ count) =>
    Array.from({ length: count }, () => {
      stamp += 1;
      const [state, reason] = (stamp - since) % 2 === 1 ? ['x', '.l'] : ['o', ''];
      // What comes back has begun after it left.
      const said = `${state}${stamp}>${baseUrl}>${stamp}.${instance}${reason}`;
      return JSON.stringify(ofOurs(`2 e${said} w0`));
    });
}

/** @param {{ n: number, rounds: number }} options */
async function measure({ n, rounds }) {
  const { cluster, start } = await network();
  // Two servers of ours that list the same.
  const [ours, peer] = [await start('ours'), await start('peer')];
  const others = cluster(n, { added: 2 });
  for (const [one, other] of /** @type {const} */ ([
    [ours, peer],
    [peer, ours],
  ])) {
    const online = [...others.online, await selfOf(other.shazbotGossipRequest)];
    await introduce(one.shazbotGossipRequest, { ...others, online });
  }
  // One among servers of version 1, and one among as many of each version.
  const [amongV1, amongBoth] = [await start('v1'), await start('both')];
  const v1 = cluster(n, { name: 'l', ours: () => false });
  const both = cluster(n, { name: 'm', ours: (index) => index % 2 === 0 });
  await introduce(amongV1.shazbotGossipRequest, v1);
  await introduce(amongBoth.shazbotGossipRequest, both);
  // One whose list changes, and one that knows long URLs.
  const [changing, long] = [await start('changing'), await start('long')];
  const changed = cluster(n, { name: 'c' });
  await introduce(changing.shazbotGossipRequest, changed);
  const name = 'u'.repeat(LONG - 1 - long.baseUrl.length);
  await introduce(long.shazbotGossipRequest, cluster(n, { name, ours: (index) => index % 2 === 0 }));
  const baseUrl = ours.baseUrl.replace('ours', 'baseline');
  const baseline = new Baseline({ baseUrl, secret: SECRET, controlSecret: CONTROL_SECRET });

  /** @type {Record<string, number>} */
  const bytes = {};
  /** @type {Record<string, boolean>} Whether the answer holds less than all. */
  const cut = {};
  const many = Math.min(100, Math.ceil(30_000 / n));
  /**
   * @param {string} name
   * @param {GossipRequest} gossipRequest
   * @param {(count: number) => string[]} messages
   * @param {(answer: string, body: string) => void} verify
   * @returns {import('./meter.js').Work<string>}
   */
  const exchange = (name, gossipRequest, messages, verify) => {
    const within = quota();
    let body = '';
    return {
      count: many,
      async prepare(count) {
        await within(count);
        const bodies = messages(count);
        body = /** @type {string} */ (bodies.at(-1));
        return bodies;
      },
      run: async (one) => JSON.stringify(await gossipRequest(SECRET, JSON.parse(one))),
      verify(last) {
        verify(String(last), body);
        bytes[name] = body.length + String(last).length;
      },
    };
  };
  /** @param {Cluster} cluster @param {import('./servers.js').Server} self */
  const fullMessagesTo = (cluster, self) => fullMessages({ ...cluster, online: [...cluster.online, self] });
  const listed = (/** @type {string} */ json) => JSON.parse(json).online.length;
  const assertFull = (/** @type {string} */ json) => assert.equal(listed(json), n);
  // What is answered to version 1 is as much as 90 kB hold.
  const assertFilled = (/** @type {string} */ who) => (/** @type {string} */ json) => {
    cut[who] = listed(json) < n;
    assert.ok(json.length > 80_000 || !cut[who]);
  };
  const idle = await idleBody(ours, peer);
  const toV1 = fullMessagesTo(v1, await selfOf(amongV1.shazbotGossipRequest));
  const toBoth = fullMessagesTo(both, await selfOf(amongBoth.shazbotGossipRequest));
  const toBaseline = fullMessagesTo(v1, { baseUrl, life: undefined });
  baseline.merge(JSON.parse(/** @type {string} */ (toBaseline(1)[0])));
  const between = exchange('ours', ours.shazbotGossipRequest, newer(idle, others), assertIdle);
  const withBaseline = (/** @type {string} */ header, /** @type {any} */ body) => baseline.gossipRequest(header, body);

  /** @typedef {Pick<import('./meter.js').Work<any>, 'prepare' | 'before'>} After what comes before each request */
  /** @type {After} */
  const news = { prepare: between.prepare, before: between.run };
  const within = quota();
  const told = changes(changed);
  let hasLeft = false;
  /** @type {After} */
  const change = {
    async prepare(count) {
      await within(count);
      return told(count);
    },
    before(body) {
      hasLeft = body.includes(' ex');
      return changing.shazbotGossipRequest(SECRET, JSON.parse(body));
    },
  };
  /** @param {string} header */
  const theirs = (header) => () => baseline.listRequest(header);
  /** @type {[what: string, ours: () => unknown, theirs: () => unknown, after?: After][]} */
  const lists = [
    ['shazbotListRequest', () => ours.shazbotListRequest(''), theirs('')],
    ['shazbotListRequest, after news', () => ours.shazbotListRequest(''), theirs(''), news],
    ['shazbotListRequest, after a change', () => changing.shazbotListRequest(''), theirs(''), change],
    [OFFLINE_TOO, () => ours.shazbotListRequest(CONTROL_SECRET), theirs(CONTROL_SECRET)],
    [`${OFFLINE_TOO}, after news`, () => ours.shazbotListRequest(CONTROL_SECRET), theirs(CONTROL_SECRET), news],
    ['shazbotGetServerList', () => ours.shazbotGetServerList(), () => baseline.serverList()],
    ['shazbotGetServerList, offline too', () => ours.shazbotGetServerList(true), () => baseline.serverList(true)],
  ];
  /** @param {string} name @param {() => unknown} list @param {After} [after] @returns {import('./meter.js').Work<any>} */
  const listing = (name, list, after) => ({
    // Messages are limited, lists are not.
    count: after ? Math.min(many, 20) : Math.min(500, Math.ceil(30_000 / n)),
    ...after,
    async run() {
      return JSON.stringify(await list());
    },
    verify(last) {
      assert.equal(listed(String(last)), name.endsWith('a change') && hasLeft ? n - 1 : n);
      bytes[name] = String(last).length;
    },
  });
  const times = {
    ...(await interleave(
      {
        ours: { ...between, count: 100 },
        v1: exchange('v1', amongV1.shazbotGossipRequest, toV1, assertFilled('v1')),
        both: exchange('both', amongBoth.shazbotGossipRequest, toBoth, assertFilled('both')),
        baseline: exchange('baseline', withBaseline, toBaseline, assertFull),
      },
      rounds,
    )),
    // Apart from those: their garbage would be collected on the account of the lists.
    ...(await interleave(
      Object.fromEntries(
        lists.flatMap(([name, list, theirs, after]) => [
          [name, listing(name, list, after)],
          [`${name}, baseline`, listing(`${name}, baseline`, theirs, after)],
        ]),
      ),
      2 * rounds,
    )),
  };
  /** @param {string} name @returns {Cost} */
  const cost = (name) => ({ ...typical(times[name] ?? []), bytes: bytes[name] ?? 0 });
  const bodies = [await repair(ours), await repair(long)];
  const bodiesToV1 = [await whole(amongV1), await whole(amongBoth), await whole(long)];
  const largest = (/** @type {string[]} */ all) => Math.max(...all.map((body) => body.length));
  const [, , ages = ''] = String(words(textOf(JSON.parse(idle)), 'a')).split('.');
  return {
    rows: [
      { what: 'inbound exchange between ours', ours: cost('ours'), baseline: cost('baseline') },
      { what: 'inbound exchange with a version 1 peer', cut: cut.v1, ours: cost('v1'), baseline: cost('baseline') },
      {
        what: 'inbound exchange with a version 1 peer, half of the servers ours',
        cut: cut.both,
        ours: cost('both'),
        baseline: cost('baseline'),
      },
      ...lists.map(([what]) => ({ what, ours: cost(what), baseline: cost(`${what}, baseline`) })),
    ],
    bodies: { ours: largest(bodies), v1: largest(bodiesToV1), stamps: ages.length / STAMP },
  };
}

answer(measure);
