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
  await until(() => to.bodies.length > 0, { what: 'a message has come' });
  return /** @type {string} */ (to.bodies[0]);
}

/**
 * That a server which was told a digest lists the same, and says nothing else.
 *
 * @param {string} json its answer
 * @param {string} asked what it was told
 */
function assertIdle(json, asked) {
  const text = textOf(JSON.parse(json));
  assert.deepEqual(words(text, 'd'), words(textOf(JSON.parse(asked)), 'd'));
  const letters = text.split(' ').map(([letter]) => letter);
  assert.deepEqual(letters, ['2', 's', 'd', 'a'], 'an answer with which the exchange ends');
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
  const baseUrl = ours.baseUrl.replace('ours', 'baseline');
  const baseline = new Baseline({ baseUrl, secret: SECRET, controlSecret: CONTROL_SECRET });

  /** @type {Record<string, number>} */
  const bytes = {};
  /** @type {Record<string, number>} The last answer alone. */
  const answers = {};
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
        answers[name] = String(last).length;
        bytes[name] = body.length + String(last).length;
      },
    };
  };
  /** @param {Cluster} cluster @param {import('./servers.js').Server} self */
  const fullMessagesTo = (cluster, self) => fullMessages({ ...cluster, online: [...cluster.online, self] });
  const assertFull = (/** @type {string} */ json) => assert.equal(JSON.parse(json).online.length, n);
  // What is answered to version 1 is as much as 90 kB hold.
  const assertFilled = (/** @type {string} */ json) =>
    assert.ok(json.length > 80_000 || assertFull(json) === undefined);
  const news = newer(await idleBody(ours, peer));
  const toV1 = fullMessagesTo(v1, await selfOf(amongV1.shazbotGossipRequest));
  const toBoth = fullMessagesTo(both, await selfOf(amongBoth.shazbotGossipRequest));
  const toBaseline = fullMessagesTo(v1, { baseUrl, life: undefined });
  baseline.merge(JSON.parse(/** @type {string} */ (toBaseline(1)[0])));
  const between = exchange('ours', ours.shazbotGossipRequest, news, assertIdle);
  const withBaseline = (/** @type {string} */ header, /** @type {any} */ body) => baseline.gossipRequest(header, body);

  const lists = /** @type {const} */ ([
    ['shazbotListRequest', () => ours.shazbotListRequest(''), () => baseline.listRequest('')],
    [
      'shazbotListRequest, offline too',
      () => ours.shazbotListRequest(CONTROL_SECRET),
      () => baseline.listRequest(CONTROL_SECRET),
    ],
    ['shazbotGetServerList', () => ours.shazbotGetServerList(), () => baseline.serverList()],
    ['shazbotGetServerList, offline too', () => ours.shazbotGetServerList(true), () => baseline.serverList(true)],
  ]);
  /** @param {string} name @param {() => unknown} list @returns {import('./meter.js').Work<unknown>} */
  const listing = (name, list) => ({
    count: Math.min(many, 20),
    async run() {
      return JSON.stringify(await list());
    },
    verify(last) {
      assertFull(String(last));
      bytes[name] = String(last).length;
    },
  });
  // The two functions do the same, but for the comparison of a secret.
  const isAskedAfterNews = (/** @type {string} */ name) => name.startsWith('shazbotListRequest');
  /** @param {import('./meter.js').Work<unknown>} work to be done each time that there is news */
  const afterNews = ({ count, run }) => ({
    ...between,
    count,
    async run(/** @type {string} */ body) {
      await between.run(body);
      return run(undefined);
    },
    verify: undefined,
  });
  const times = {
    ...(await interleave(
      {
        ours: { ...between, count: 100 },
        v1: exchange('v1', amongV1.shazbotGossipRequest, toV1, assertFilled),
        both: exchange('both', amongBoth.shazbotGossipRequest, toBoth, assertFilled),
        baseline: exchange('baseline', withBaseline, toBaseline, assertFull),
      },
      rounds,
    )),
    // Apart from those: their garbage would be collected on the account of the lists.
    ...(await interleave(
      Object.fromEntries(
        lists.flatMap(([name, list, theirs]) => {
          const [ofOurs, ofBaseline] = [listing(name, list), listing(`${name}, baseline`, theirs)];
          const same = [
            [name, ofOurs],
            [`${name}, baseline`, ofBaseline],
          ];
          const later = [
            [`${name}, news`, afterNews(ofOurs)],
            [`${name}, news, baseline`, afterNews(ofBaseline)],
          ];
          return isAskedAfterNews(name) ? [...same, ...later] : same;
        }),
      ),
      2 * rounds,
    )),
  };
  /** @param {string} name @returns {Cost} */
  const cost = (name) => ({ ...typical(times[name] ?? []), bytes: bytes[name] ?? 0 });
  /** @param {string} name @returns {Cost} of the list alone, without the news that came before it */
  const costAfterNews = (name) => {
    const [both, theirs, same] = [cost(`${name}, news`), cost(`${name}, baseline`), cost(`${name}, news, baseline`)];
    const without = (/** @type {'eventLoop' | 'cpu'} */ time) => both[time] - (same[time] - theirs[time]);
    return { eventLoop: without('eventLoop'), cpu: without('cpu'), bytes: bytes[name] ?? 0 };
  };
  return {
    rows: [
      { what: 'inbound exchange between ours', ours: cost('ours'), baseline: cost('baseline') },
      { what: 'inbound exchange with a version 1 peer', ours: cost('v1'), baseline: cost('baseline') },
      {
        what: 'inbound exchange with a version 1 peer, half of the servers ours',
        ours: cost('both'),
        baseline: cost('baseline'),
      },
      ...lists.flatMap(([name]) => [
        { what: name, ours: cost(name), baseline: cost(`${name}, baseline`) },
        ...(isAskedAfterNews(name)
          ? [{ what: `${name}, after news`, ours: costAfterNews(name), baseline: cost(`${name}, baseline`) }]
          : []),
      ]),
    ],
    bodies: { ours: (await repair(ours)).length, v1: answers.both ?? 0 },
  };
}

answer(measure);
