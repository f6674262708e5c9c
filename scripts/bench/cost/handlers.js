'use strict';

// Child process that measures, for one size of the cluster, the functions that a program calls from its routes.

const assert = require('node:assert/strict');

const { CONTROL_SECRET, SECRET } = require('../../../harness/cluster.js');
const { until } = require('../../../harness/until.js');
const { Baseline } = require('./baseline.js');
const { answer } = require('./children.js');
const { interleave, quota, typical } = require('./meter.js');
const { network } = require('./network.js');
const { fullMessages, introduce, newer, ofOurs, selfOf, textOf, words } = require('./servers.js');

/** @typedef {import('./network.js').Engine} Engine */
/** @typedef {import('./servers.js').Cluster} Cluster */
/** @typedef {(header: string, body: any) => Promise<import('../../..').GossipMessage>} GossipRequest */
/** @typedef {import('./meter.js').Work<string>} Work */
/** @typedef {import('./meter.js').Time & { bytes: number }} Cost of one operation */
/** @typedef {{ bytes: Record<string, number>, cut: Record<string, boolean> }} Seen by name of the work; `cut`: the answer was not all */
/** @typedef {Pick<Work, 'prepare' | 'before'>} After what happens before each request for a list */

const OFFLINE_TOO = 'shazbotListRequest, offline too';
/** The end of the name of the baseline's work. */
const BASELINE = ', baseline';
/** Characters of a URL in the messages with the largest bodies. */
const LONG = 200;
/** First letters of the words that servers with equal lists exchange: own entry, digest, stamps, version. */
const IDLE = '2sdav';
/** Characters of a stamp that is sent by its position in the list. */
const STAMP = 3;

/**
 * The body that a server of protocol 2 sends to another one with an equal list.
 *
 * @param {Engine} to
 * @param {Engine} from
 * @returns {Promise<string>}
 */
async function idleBody(to, from) {
  const { baseUrl, life } = await selfOf(to.shazbotGossipRequest);
  // This tells the sender that it seems not to answer, to which it responds with a message.
  await from.shazbotGossipRequest(SECRET, ofOurs(`2 so${Date.now()}>${baseUrl}>${life} u`));
  // Not the first message: a server that learned of a small cluster first passes it on.
  return until(() => to.bodies.find((body) => lettersOf(body) === IDLE), { what: 'an idle message was received' });
}

/** The first letters of the words of a message. @param {string} json */
const lettersOf = (json) =>
  textOf(JSON.parse(json))
    .split(' ')
    .map(([letter]) => letter)
    .join('');

/**
 * Asserts that an answer repeats the digest of the request and has no entries.
 *
 * @param {string} json the answer
 * @param {string} asked the request
 */
function assertIdle(json, asked) {
  assert.deepEqual(words(textOf(JSON.parse(json)), 'd'), words(textOf(JSON.parse(asked)), 'd'));
  assert.equal(lettersOf(json), IDLE, 'the answer ends the exchange');
}

/**
 * The answer to a server of protocol 2 that lost its whole list: as much as one message holds.
 *
 * @param {Engine} engine
 */
async function repair(engine) {
  const answered = await engine.shazbotGossipRequest(SECRET, ofOurs(`2 d0.0 w${'f'.repeat(256)}`));
  return JSON.stringify(answered);
}

/**
 * The answer to a server of version 1 with an empty list: as much as one message holds.
 *
 * @param {Engine} engine
 */
async function whole(engine) {
  const answered = await engine.shazbotGossipRequest(SECRET, /** @type {any} */ ({ message: 'gossip', online: [] }));
  return JSON.stringify(answered);
}

/**
 * Messages saying that a listed server has other tags than before. A join would be listed only after an exchange with the server.
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
      return JSON.stringify(ofOurs(`2 eo${stamp}>${baseUrl}>${stamp}.${instance}>tn=${stamp % 10} w0`));
    });
}

/**
 * Starts the engines, and makes a cluster of `n` servers known to each.
 *
 * @param {number} n
 */
async function setUp(n) {
  const { cluster, start } = await network();
  const isHalf = (/** @type {number} */ index) => index % 2 === 0;
  // Two servers of protocol 2 with equal lists.
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
  const both = cluster(n, { name: 'm', ours: isHalf });
  await introduce(amongV1.shazbotGossipRequest, v1);
  await introduce(amongBoth.shazbotGossipRequest, both);
  // One whose list changes, one that knows long URLs, and one whose others have tags.
  const [changing, long, tagged] = [await start('changing'), await start('long'), await start('tagged')];
  const changed = cluster(n, { name: 'c' });
  await introduce(changing.shazbotGossipRequest, changed);
  const name = 'u'.repeat(LONG - 1 - long.baseUrl.length);
  await introduce(long.shazbotGossipRequest, cluster(n, { name, ours: isHalf }));
  await introduce(tagged.shazbotGossipRequest, cluster(n, { name: 't', tags: true }));
  const baseUrl = ours.baseUrl.replace('ours', 'baseline');
  const baseline = new Baseline({ baseUrl, secret: SECRET, controlSecret: CONTROL_SECRET });
  const idle = await idleBody(ours, peer);
  return { n, ours, amongV1, amongBoth, changing, long, tagged, baseline, baseUrl, others, v1, both, changed, idle };
}

/** @typedef {Awaited<ReturnType<typeof setUp>>} Servers */

/** The number of servers in a list. @param {string} json */
const lengthOf = (json) => JSON.parse(json).online.length;

/** Operations in a round: fewer with large lists. @param {number} n */
const roundOf = (n) => Math.min(100, Math.ceil(30_000 / n));

/**
 * Inbound exchanges.
 *
 * @param {Servers} servers
 * @param {Seen} seen
 */
async function exchangeWorks({ n, ours, amongV1, amongBoth, baseline, baseUrl, others, v1, both, idle }, seen) {
  /**
   * @param {string} name
   * @param {GossipRequest} gossipRequest
   * @param {(count: number) => string[]} messages
   * @param {(answer: string, body: string) => void} verify
   * @returns {Work}
   */
  const exchange = (name, gossipRequest, messages, verify) => {
    const within = quota();
    let body = '';
    return {
      count: roundOf(n),
      async prepare(count) {
        await within(count);
        const bodies = messages(count);
        body = /** @type {string} */ (bodies.at(-1));
        return bodies;
      },
      run: async (one) => JSON.stringify(await gossipRequest(SECRET, JSON.parse(one))),
      verify(last) {
        verify(String(last), body);
        seen.bytes[name] = body.length + String(last).length;
      },
    };
  };
  /** @param {Cluster} cluster @param {import('./servers.js').Server} self */
  const fullMessagesTo = (cluster, self) => fullMessages({ ...cluster, online: [...cluster.online, self] });
  const assertFull = (/** @type {string} */ json) => assert.equal(lengthOf(json), n);
  // An answer to version 1 has the whole list, or as much of it as 90 kB hold.
  const assertFilled = (/** @type {string} */ name) => (/** @type {string} */ json) => {
    const isCut = lengthOf(json) < n;
    seen.cut[name] = isCut;
    assert.ok(json.length > 80_000 || !isCut);
  };
  const toV1 = fullMessagesTo(v1, await selfOf(amongV1.shazbotGossipRequest));
  const toBoth = fullMessagesTo(both, await selfOf(amongBoth.shazbotGossipRequest));
  const toBaseline = fullMessagesTo(v1, { baseUrl, life: undefined });
  baseline.merge(JSON.parse(/** @type {string} */ (toBaseline(1)[0])));
  const withBaseline = (/** @type {string} */ header, /** @type {any} */ body) => baseline.gossipRequest(header, body);
  const between = exchange('ours', ours.shazbotGossipRequest, newer(idle, others), assertIdle);
  return {
    ours: { ...between, count: 100 },
    v1: exchange('v1', amongV1.shazbotGossipRequest, toV1, assertFilled('v1')),
    both: exchange('both', amongBoth.shazbotGossipRequest, toBoth, assertFilled('both')),
    baseline: exchange('baseline', withBaseline, toBaseline, assertFull),
  };
}

/**
 * Requests for the list: by name ours and that of the baseline.
 *
 * @param {Servers} servers
 * @param {Work} exchange between servers of protocol 2
 * @param {Seen} seen
 */
function listWorks({ n, ours, changing, tagged, baseline, changed }, exchange, seen) {
  /** @type {After} */
  const news = { prepare: exchange.prepare, before: exchange.run };
  const within = quota();
  const messages = changes(changed);
  /** @type {After} */
  const change = {
    async prepare(count) {
      await within(count);
      return messages(count);
    },
    before: (body) => changing.shazbotGossipRequest(SECRET, JSON.parse(body)),
  };
  /** @param {string} name @param {() => unknown} list @param {After} [after] @returns {Work} */
  const listing = (name, list, after) => ({
    // The engine limits messages, but not requests for the list.
    count: after ? Math.min(roundOf(n), 20) : Math.min(500, Math.ceil(30_000 / n)),
    ...after,
    async run() {
      return JSON.stringify(await list());
    },
    verify(last) {
      assert.equal(lengthOf(String(last)), n);
      if (after === change)
        assert.ok(
          changing.shazbotServers().some(({ tags }) => tags.n),
          'it has taken the tags',
        );
      seen.bytes[name] = String(last).length;
    },
  });
  const online = () => baseline.listRequest('');
  const all = () => baseline.listRequest(CONTROL_SECRET);
  /** @type {[what: string, ours: () => unknown, theirs: () => unknown, after?: After][]} */
  const lists = [
    ['shazbotListRequest', () => ours.shazbotListRequest(''), online],
    ['shazbotListRequest, after news', () => ours.shazbotListRequest(''), online, news],
    ['shazbotListRequest, after a change', () => changing.shazbotListRequest(''), online, change],
    [OFFLINE_TOO, () => ours.shazbotListRequest(CONTROL_SECRET), all],
    [`${OFFLINE_TOO}, after news`, () => ours.shazbotListRequest(CONTROL_SECRET), all, news],
    ['shazbotGetServerList', () => ours.shazbotGetServerList(), () => baseline.serverList()],
    ['shazbotGetServerList, with tags', () => tagged.shazbotGetServerList(), () => baseline.serverList()],
    ['shazbotServers', () => ({ online: ours.shazbotServers() }), () => baseline.serverList()],
    ['shazbotServers, with tags', () => ({ online: tagged.shazbotServers() }), () => baseline.serverList()],
    ['shazbotGetServerList, offline too', () => ours.shazbotGetServerList(true), () => baseline.serverList(true)],
  ];
  // Version 1 has nothing like these: programs took a server out of its list.
  const first = () => baseline.serverList().online[0];
  let key = 0;
  /** @type {[what: string, choose: () => { baseUrl: string } | undefined][]} */
  const choices = [
    ['shazbotOwner', () => ours.shazbotOwner(`user:${key++}`)],
    ['shazbotPick', () => ours.shazbotPick()],
  ];
  return Object.fromEntries([
    ...lists.flatMap(([name, list, theirs, after]) => [
      [name, listing(name, list, after)],
      [`${name}${BASELINE}`, listing(`${name}${BASELINE}`, theirs, after)],
    ]),
    ...choices.flatMap(([name, choose]) => [
      [name, choosing(choose)],
      [`${name}${BASELINE}`, choosing(first)],
    ]),
  ]);
}

/** @param {() => { baseUrl: string } | undefined} choose @returns {Work} */
const choosing = (choose) => ({
  count: 500,
  run: async () => String(choose()?.baseUrl),
  verify: (last) => assert.match(String(last), /^http/),
});

/** @param {{ n: number, rounds: number }} options */
async function measure({ n, rounds }) {
  const servers = await setUp(n);
  /** @type {Seen} */
  const seen = { bytes: {}, cut: {} };
  const exchanges = await exchangeWorks(servers, seen);
  const lists = listWorks(servers, exchanges.ours, seen);
  const times = {
    ...(await interleave(exchanges, rounds)),
    // In rounds of their own: otherwise the lists would pay for the garbage of the exchanges.
    ...(await interleave(lists, 2 * rounds)),
  };
  /** @param {string} name @returns {Cost} */
  const cost = (name) => ({ ...typical(times[name] ?? []), bytes: seen.bytes[name] ?? 0 });
  const inbound = (/** @type {string} */ what, /** @type {string} */ name) => ({
    what: `inbound exchange ${what}`,
    cut: seen.cut[name],
    ours: cost(name),
    baseline: cost('baseline'),
  });
  const names = Object.keys(lists).filter((name) => !name.endsWith(BASELINE));
  return {
    rows: [
      inbound('between ours', 'ours'),
      inbound('with a version 1 peer', 'v1'),
      inbound('with a version 1 peer, half of the servers ours', 'both'),
      ...names.map((what) => ({ what, ours: cost(what), baseline: cost(`${what}${BASELINE}`) })),
    ],
    bodies: await largestBodies(servers),
  };
}

/** @param {Servers} servers */
async function largestBodies({ ours, long, tagged, amongV1, amongBoth, idle }) {
  const largest = (/** @type {string[]} */ all) => Math.max(...all.map((body) => body.length));
  const [, , ages = ''] = String(words(textOf(JSON.parse(idle)), 'a')).split('.');
  return {
    ours: largest([await repair(ours), await repair(long), await repair(tagged)]),
    v1: largest([await whole(amongV1), await whole(amongBoth), await whole(long), await whole(tagged)]),
    stamps: ages.length / STAMP,
  };
}

answer(measure);
