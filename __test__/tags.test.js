'use strict';

// Tags: their limits, who sees them, and how they spread.

const assert = require('node:assert/strict');
const { channel } = require('node:diagnostics_channel');
const { mkdirSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { CONTROL_SECRET, SECRET, agree, fileList, startServer, startServers } = require('../harness/cluster.js');
const { freshEngine, startEngine } = require('../harness/engine.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { folder } = require('../harness/folder.js');
const { gossip, listedEntry, message } = require('../harness/gossip.js');
const { request } = require('../harness/http.js');
const { root, runToEnd } = require('./support/programs.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */
/** @typedef {import('..').ShazbotServer} ShazbotServer */

/** Sends an engine version 2 entries of servers with these tags. @param {Awaited<ReturnType<typeof startEngine>>} engine */
async function tellServers({ shazbotGossipRequest }, /** @type {Record<string, string>} */ tags) {
  const now = Date.now();
  const online = Object.entries(tags).map(([name, text]) => ({
    baseUrl: `http://10.0.${name}:3000/`,
    monitor: false,
    lastUpdate: now,
    shazbot: `${now}.1${text && `>t${text}`}`,
  }));
  await shazbotGossipRequest(SECRET, message(online));
}

describe('the tags of one engine', () => {
  test('come from SHAZBOT_TAGS, and shazbotServers returns the servers that have them', async (t) => {
    const engine = await startEngine(t, { SHAZBOT_TAGS: 'role=api, zone=eu-1a' });
    const { baseUrl, shazbotServers } = engine;
    const [own] = shazbotServers();
    assert.ok(own && Math.abs(own.lastUpdate - Date.now()) < 60_000);
    assert.deepEqual(
      [{ ...own, lastUpdate: 0 }],
      [
        {
          baseUrl,
          monitor: false,
          lastUpdate: 0,
          tags: { role: 'api', zone: 'eu-1a' },
          self: true,
          suspect: false,
          ready: true,
        },
      ],
    );
    await tellServers(engine, { 0.1: 'role=api&zone=eu-1b', 0.2: 'role=web&zone=eu-1a', 0.3: '' });
    const found = (/** @type {import('..').Where} */ where) => {
      const numbers = shazbotServers(where).map((it) => (it.self ? 'own' : it.baseUrl.slice(14, 15)));
      return numbers.sort().join(' ');
    };
    assert.equal(found({}), '1 2 3 own');
    assert.equal(found({ role: 'api' }), '1 own');
    assert.equal(found({ role: ['api', 'web'], zone: 'eu-1a' }), '2 own');
    assert.equal(found({ role: [] }), '');
    assert.equal(found({ role: '' }), '', 'a missing tag is not an empty one');
    assert.equal(found({ constructor: 'x' }), '');
    assert.equal(
      found(({ tags, self }) => !self && tags.zone !== 'eu-1a'),
      '1 3',
    );
    for (const wrong of [{ role: undefined }, { role: [1] }, null, 'role', ['role']]) {
      assert.throws(() => shazbotServers(/** @type {any} */ (wrong)), TypeError);
    }
    assert.ok(Object.isFrozen(shazbotServers()[0]?.tags));
  });

  test('can be replaced at run time, which emits an event', async (t) => {
    const { baseUrl, shazbotEvents, shazbotServers, shazbotSetTags, shazbotStatus } = await startEngine(t);
    /** @type {unknown[]} */
    const seen = [];
    const subscriber = (/** @type {any} */ event) => seen.push(event.tags);
    channel('clustershazbot:member:tags').subscribe(subscriber);
    t.after(() => channel('clustershazbot:member:tags').unsubscribe(subscriber));
    shazbotEvents.on('tags', subscriber);
    // Emits that the own server is online.
    shazbotEvents.snapshot();
    let changes = 0;
    shazbotEvents.on('change', () => {
      changes += 1;
    });
    shazbotSetTags({ note: 'a, b = c>d"', role: 'api' });
    const tags = { note: 'a, b = c>d"', role: 'api' };
    await until(() => shazbotServers()[0]?.tags.role === 'api', { what: 'the tags are listed' });
    assert.deepEqual(shazbotServers()[0]?.tags, tags);
    assert.deepEqual(shazbotStatus().members[0]?.tags, tags);
    await until(() => seen.length === 2, { what: 'the event' });
    assert.deepEqual(seen, [tags, tags]);
    const event = shazbotStatus().recent.at(-1);
    assert.deepEqual([event?.type, event?.baseUrl, event?.tags], ['tags', baseUrl, tags]);
    assert.equal(changes, 0, 'the lists have not changed');
  });

  test('that are not allowed are an error that names the key, and change nothing', async (t) => {
    const { shazbotServers, shazbotSetTags } = await startEngine(t, { SHAZBOT_TAGS: 'role=api' });
    const many = Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`key-${n}`, '']));
    for (const [tags, name] of /** @type {[any, RegExp][]} */ ([
      [{ Role: 'api' }, /"Role"/],
      [{ '': 'api' }, /""/],
      [{ role: 1 }, /tags\.role must be a string, not 1/],
      [{ role: undefined }, /tags\.role must be a string, not undefined/],
      [{ role: 'a\nb' }, /"role"/],
      [{ role: 'a\u202eb' }, /"role"/],
      [{ a: 'x', long: 'x'.repeat(508) }, /"long"/],
      [many, /"key-/],
      [undefined, /must be an object of strings, not undefined/],
      [['role'], /must be an object of strings, not \["role"\]/],
      [new Map([['role', 'api']]), /must be an object of strings, not an instance of Map/],
    ])) {
      assert.throws(
        () => shazbotSetTags(tags),
        (/** @type {any} */ error) => {
          assert.match(error.message, name);
          assert.deepEqual([error.code, error.status, error instanceof Error], ['SHAZBOT_INVALID_TAGS', 400, true]);
          return true;
        },
      );
    }
    shazbotSetTags({ long: 'x'.repeat(508) });
    await until(() => shazbotServers()[0]?.tags.long, { what: 'the largest tags are listed' });
  });

  test('need a running engine', async () => {
    const { shazbotServers, shazbotSetTags } = freshEngine();
    const notStarted = { code: 'SHAZBOT_NOT_STARTED', message: 'Clustershazbot engine not started' };
    assert.throws(() => shazbotServers(), notStarted);
    assert.throws(() => shazbotSetTags({ role: 'api' }), notStarted);
  });

  test('reject the start if SHAZBOT_TAGS is wrong, also beside auto', async (t) => {
    for (const [text, why] of /** @type {const} */ ([
      ['role', /SHAZBOT_TAGS: "role" is not key=value/],
      ['auto,role', /SHAZBOT_TAGS: "role" is not key=value/],
      ['auto,role=a,role=b', /SHAZBOT_TAGS: the tag "role" is given twice/],
      ['{"role":1}', /SHAZBOT_TAGS: it is not a JSON object/],
      ['{"role"', /SHAZBOT_TAGS: it is not a JSON object/],
    ])) {
      await assert.rejects(startEngine(t, { SHAZBOT_TAGS: text }), (/** @type {any} */ error) => {
        assert.match(error.message, why);
        return error.code === 'SHAZBOT_INVALID_CONFIG';
      });
    }
  });

  test('are cheap to read with 1 000 servers', async (t) => {
    const engine = await startEngine(t);
    const tags = Array.from({ length: 1_000 }, (_, n) => [
      `${Math.floor(n / 250)}.${(n % 250) + 1}`,
      `role=api&version=1.0.${n % 5}&zone=eu-1${'abc'[n % 3]}`,
    ]);
    await tellServers(engine, Object.fromEntries(tags));
    engine.shazbotServers();
    const since = process.cpuUsage();
    for (let n = 0; n < 1_000; n++) engine.shazbotServers({ version: '1.0.3' });
    const { user, system } = process.cpuUsage(since);
    t.diagnostic(`${((user + system) / 1_000).toFixed(0)} us a call`);
    assert.ok(user + system < 1_000_000);
  });
});

describe('SHAZBOT_TAGS=auto', () => {
  const script = `require(${JSON.stringify(root)}).shazbotStart().then(() => {
    console.log(JSON.stringify(require(${JSON.stringify(root)}).shazbotServers()[0].tags));
    process.exit();
  });`;
  const { version } = require('../package.json');

  /**
   * The tags of a program in a folder with this package.json.
   *
   * @param {string} text of package.json
   * @param {string} tags
   */
  async function tagsOf(text, tags) {
    const directory = folder();
    mkdirSync(path.join(directory, 'dist'));
    writeFileSync(path.join(directory, 'package.json'), text);
    // As builds put it beside their output.
    writeFileSync(path.join(directory, 'dist', 'package.json'), '{"type":"commonjs"}');
    writeFileSync(path.join(directory, 'dist', 'main.js'), script);
    const env = {
      SHAZBOT_SECRET: SECRET,
      SHAZBOT_CONTROL_SECRET: CONTROL_SECRET,
      SHAZBOT_BASE_URL: 'http://127.0.0.1:9/',
      ...fileList().env,
      SHAZBOT_TAGS: tags,
    };
    const { stdout, stderr } = await runToEnd([path.join(directory, 'dist', 'main.js')], { env });
    assert.ok(stdout, stderr);
    return JSON.parse(stdout);
  }

  test("adds the package's version, and the program's name and version", async () => {
    const program = JSON.stringify({ name: '@acme/orders', version: '1.4.2' });
    assert.deepEqual(await tagsOf(program, 'auto'), { name: '@acme/orders', shazbot: version, version: '1.4.2' });
    assert.deepEqual(await tagsOf(program, 'role=api, auto,version=mine'), {
      name: '@acme/orders',
      role: 'api',
      shazbot: version,
      version: 'mine',
    });
  });

  test('leaves out what the program does not have', async () => {
    assert.deepEqual(await tagsOf(JSON.stringify({ name: 'a\nb', version: 7 }), 'auto'), { shazbot: version });
    assert.deepEqual(await tagsOf('{', 'auto,role=api'), { role: 'api', shazbot: version });
  });
});

describe('the tags of servers in a cluster', { concurrency: 3 }, () => {
  /**
   * @param {Server} server
   * @param {Server} about
   */
  const tagsOf = async (server, about) => {
    const found = await server.order('call', 'shazbotServers');
    return found.find((/** @type {ShazbotServer} */ { baseUrl }) => baseUrl === about.baseUrl)?.tags;
  };
  /**
   * @param {Server[]} servers
   * @param {Server} about
   * @param {Record<string, string>} tags
   */
  const untilTags = (servers, about, tags) =>
    until(
      async () => {
        for (const server of servers) assert.deepEqual(await tagsOf(server, about), tags);
        return true;
      },
      { timeout: 20_000, what: `all know the tags of ${about.baseUrl}` },
    );

  test('reach all others when they change, and only callers with the control secret', async (t) => {
    const env = { ...fileList().env, TEST_ROUTER: 'yes', SHAZBOT_TAGS: 'role=api' };
    const servers = await startServers(t, 3, { env });
    const [one, two, three] = /** @type {[Server, Server, Server]} */ (servers);
    await agree(servers, { online: servers });
    await untilTags(servers, one, { role: 'api' });
    const tags = { role: 'api', note: 'x'.repeat(400) };
    await one.order('call', 'shazbotSetTags', tags);
    await untilTags(servers, one, tags);
    for (const server of [two, three]) {
      const event = await until(() => server.events.find(({ type }) => type === 'tags'), { what: 'the event' });
      assert.deepEqual([event.baseUrl, event.tags], [one.baseUrl, tags]);
    }
    const list = await two.list();
    for (const server of list.online) assert.deepEqual(Object.keys(server), ['baseUrl', 'monitor', 'lastUpdate']);
    const headers = { authorization: CONTROL_SECRET };
    const { json } = await request(`${two.baseUrl}clustershazbot/status`, { headers });
    for (const member of json.members) assert.equal(member.version, require('../package.json').version);
    assert.deepEqual(json.members.find((/** @type {any} */ it) => it.baseUrl === one.baseUrl).tags, tags);
    // A restart begins with SHAZBOT_TAGS again.
    await one.terminate();
    await one.restart();
    await untilTags(servers, one, { role: 'api' });
  });

  test('cross version 1 peers, and those that are too long for that are fetched from their server', async (t) => {
    const store = await startStore(t);
    const [one] = /** @type {[Server]} */ (
      await startServers(t, 1, { env: { ...store.env, SHAZBOT_TAGS: 'role=api' } })
    );
    await until(() => store.servers().length === 1, { what: 'the server is in the master list' });
    const peer = await startServer(t, { env: store.env, engine: 'v1' });
    await agree([one, peer], { online: [one, peer] });
    const two = await startServer(t, { env: { ...store.env, SHAZBOT_TAGS: 'role=web' } });
    const all = [one, peer, two];
    await agree(all, { online: all });
    await untilTags([one, two], one, { role: 'api' });
    const long = { note: 'x'.repeat(400) };
    await one.order('call', 'shazbotSetTags', long);
    await untilTags([one, two], one, long);
    assert.deepEqual(await tagsOf(two, peer), {}, 'version 1 has none');
  });
});

describe('a server of an invented version 3', () => {
  /** Words and extensions that no version has. */
  const WORDS = 'zebra Z{"a":1} k9a3f01c7>http://c:3000/ v3.0.0-rc.1+build.7';
  const EXTENSIONS = '>9[1]>trole=later>Zebra=1';

  /**
   * Starts a peer that speaks as version 3, and answers only `friend`.
   *
   * @param {import('node:test').TestContext} t
   * @param {Server} friend
   */
  async function startLater(t, friend) {
    const peer = await startFakePeer(t);
    const later = {
      baseUrl: peer.baseUrl,
      incarnation: Date.now(),
      state: 'o',
      reason: '',
      shazbot: () => `${later.incarnation}.7${later.reason}${EXTENSIONS}`,
      field: () => `2 s${later.state}${Date.now()}>${peer.baseUrl}>${later.shazbot()} ${WORDS}`,
      message: () => ({ message: 'gossip', online: [], offline: [], room: { for: 'more' }, shazbot: later.field() }),
      tell: () => gossip(friend.baseUrl, later.message()),
    };
    const isFriend = (/** @type {unknown} */ field) => String(field).split(' ')[1]?.split('>')[1] === friend.baseUrl;
    peer.answer = ({ body }) => (isFriend(body?.shazbot) ? { body: later.message() } : 'reset');
    return later;
  }

  /** @param {Server} server */
  const statusOf = (server, /** @type {string} */ about) =>
    server.order('call', 'shazbotStatus').then((it) => it.members.find((/** @type {any} */ m) => m.baseUrl === about));

  /**
   * @param {Server} server
   * @param {string} about
   * @param {'online' | 'offline'} state
   * @param {string} shazbot
   */
  const untilListed = (server, about, state, shazbot) =>
    until(async () => (await listedEntry(server.baseUrl, about))[state]?.shazbot === shazbot, {
      timeout: 20_000,
      what: `${server.baseUrl} has ${shazbot}`,
    });

  test('is understood as far as possible, and all that is not is passed on unchanged', async (t) => {
    const servers = await startServers(t, 2, { env: fileList().env });
    const [one, two] = /** @type {[Server, Server]} */ (servers);
    await agree(servers, { online: servers });
    const later = await startLater(t, one);
    assert.equal((await later.tell()).status, 200);
    await untilListed(two, later.baseUrl, 'online', later.shazbot());
    const [seen, heard] = await Promise.all(servers.map((server) => statusOf(server, later.baseUrl)));
    assert.deepEqual([seen.version, seen.tags, seen.protocol], ['3.0.0-rc.1+build.7', { role: 'later' }, 2]);
    assert.deepEqual([heard.version, heard.tags], [undefined, { role: 'later' }]);

    // It goes offline for a reason that is not known yet.
    Object.assign(later, { state: 'x', reason: `.m.${later.baseUrl}`, incarnation: later.incarnation + 1 });
    assert.equal((await later.tell()).status, 200);
    await untilListed(two, later.baseUrl, 'offline', later.shazbot());
    const offline = await statusOf(two, later.baseUrl);
    assert.deepEqual([offline.state, offline.reason, offline.by], ['offline', undefined, undefined]);
    // Both hold the same, so an idle exchange compares equal.
    await until(
      async () => {
        const [first, second] = await Promise.all(servers.map((server) => digestOf(server)));
        assert.ok(first);
        return first === second;
      },
      { timeout: 20_000, what: 'both have the same digest' },
    );
  });

  test('is passed on unchanged by a version 1 peer', async (t) => {
    const store = await startStore(t);
    const one = await startServer(t, { env: store.env });
    await until(() => store.servers().length === 1, { what: 'the server is in the master list' });
    const old = await startServer(t, { env: store.env, engine: 'v1' });
    await agree([one, old], { online: [one, old] });
    const later = await startLater(t, one);
    await later.tell();
    const sees = async () => (await listedEntry(old.baseUrl, later.baseUrl)).online?.shazbot === later.shazbot();
    await until(sees, { timeout: 20_000, what: 'the version 1 peer has the entry' });
    // The new server can only ask the version 1 peer.
    one.signal('SIGSTOP');
    try {
      store.list = { online: [(await listedEntry(old.baseUrl, old.baseUrl)).online] };
      store.faults.PUT = '500';
      const env = { ...store.env, SHAZBOT_GOSSIP_INTERVAL: '3600' };
      const joiner = await startServer(t, { env, wait: false });
      await untilListed(joiner, later.baseUrl, 'online', later.shazbot());
    } finally {
      one.signal('SIGCONT');
    }
  });
});

/**
 * The digest that a server sends, as it answers a probe of a server that lists nobody else.
 *
 * @param {Server} server
 */
async function digestOf({ baseUrl }) {
  const field = `2 so${Date.now()}>http://127.0.0.1:9/>${Date.now()}.1 d0.${Date.now() - 21 * 3_600_000}`;
  const { json } = await gossip(baseUrl, { message: 'gossip', online: [], offline: [], shazbot: field });
  return /(?<= d)[0-9a-f]+/.exec(json.shazbot)?.[0];
}
