'use strict';

// Member events: their order, reasons and delivery to every kind of listener.

const assert = require('node:assert/strict');
const { channel } = require('node:diagnostics_channel');
const { on } = require('node:events');
const { describe, test } = require('node:test');

const { SECRET, untilGossiped, agree, fileList, startServers } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { entry, message } = require('../harness/gossip.js');
const { root, runToEnd } = require('./support/programs.js');
const { until } = require('../harness/until.js');

/** @typedef {import('..').MemberEvent} MemberEvent */
/** @typedef {Awaited<ReturnType<typeof startEngine>>} Engine */

/** @param {number} n */
const url = (n) => `http://10.0.0.${n}:3000/`;

/**
 * Returns a function that sends an engine an entry of a server that is online or drained, each time with a newer lastUpdate.
 *
 * @param {Engine} engine
 */
function entrySender({ shazbotGossipRequest }) {
  let age = 600_000;
  /**
   * @param {number} n
   * @param {boolean} online
   */
  return (n, online) => {
    age -= 1_000;
    const listed = entry(url(n), age);
    const entries = [{ ...listed, shazbot: `${listed.lastUpdate}.1${online ? '' : '.d'}` }];
    return shazbotGossipRequest(SECRET, online ? message(entries) : message([], entries));
  };
}

/** @param {MemberEvent} event */
const summary = ({ type, baseUrl }) => `${type} ${baseUrl}`;

describe('events in a cluster of three processes', () => {
  test('an event says why a server went offline and which server reported it', async (t) => {
    const servers = await startServers(t, 3, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '0.3' } });
    const [watcher, other, third] = /** @type {[typeof servers[0], typeof servers[0], typeof servers[0]]} */ (servers);
    await agree(servers, { online: servers });
    await untilGossiped(servers);
    /**
     * @param {typeof watcher} about
     * @param {(about: typeof watcher) => Promise<unknown>} act
     * @param {(event: MemberEvent) => boolean} isLast
     */
    const eventsAfter = async (about, act, isLast) => {
      const from = watcher.events.length;
      await act(about);
      const events = () => watcher.events.slice(from).filter(({ baseUrl }) => baseUrl === about.baseUrl);
      return until(() => (events().some(isLast) ? events() : undefined), { timeout: 20_000, what: 'the event' });
    };
    const offline = (/** @type {MemberEvent} */ { type }) => type === 'offline';
    const online = (/** @type {MemberEvent} */ { type }) => type === 'online';

    const [drained] = await eventsAfter(other, (it) => it.drain(), offline);
    assert.equal(drained?.reason, 'drained');
    assert.ok(drained && drained.knownAfter < 5_000 && Math.abs(Date.now() - drained.at) < 60_000);
    assert.ok(!('by' in drained), 'the drained server reported it itself');
    const [back] = await eventsAfter(other, (it) => it.undrain(), online);
    assert.deepEqual(back && Object.keys(back), ['type', 'baseUrl', 'monitor', 'lastUpdate', 'at', 'knownAfter']);

    const [left] = await eventsAfter(other, (it) => it.terminate(), offline);
    assert.equal(left?.reason, 'left');
    await eventsAfter(other, (it) => it.restart(), online);
    await agree(servers, { online: servers });
    await untilGossiped(servers);

    const killed = await eventsAfter(other, (it) => it.kill(), offline);
    const dead = killed.at(-1);
    assert.equal(dead?.reason, 'failed');
    assert.ok([watcher.baseUrl, third.baseUrl].includes(String(dead?.by)), `${dead?.by} reported it`);
    // The server that reported the failure suspected the other one before.
    const reporter = dead?.by === watcher.baseUrl ? watcher : third;
    const suspected = reporter.events.map(summary).lastIndexOf(`suspect ${other.baseUrl}`);
    assert.ok(suspected >= 0 && suspected < reporter.events.map(summary).lastIndexOf(`offline ${other.baseUrl}`));
  });
});

describe('events of one engine', () => {
  test('events come in order, and change follows online or offline', async (t) => {
    const engine = await startEngine(t);
    const send = entrySender(engine);
    /** @type {string[]} */
    const received = [];
    engine.shazbotEvents.on('online', (event) => received.push(summary(event)));
    engine.shazbotEvents.on('offline', (event) => received.push(summary(event)));
    engine.shazbotEvents.on('change', (event) => received.push(`change ${event.baseUrl}`));
    // Emits the events up to now, which this test ignores.
    engine.shazbotEvents.snapshot();
    received.length = 0;
    for (let n = 1; n <= 3; n++) await send(n, true);
    await send(2, false);
    engine.shazbotEvents.snapshot();
    const expected = [1, 2, 3].flatMap((n) => [`online ${url(n)}`, `change ${url(n)}`]);
    assert.deepEqual(received, [...expected, `offline ${url(2)}`, `change ${url(2)}`]);
  });

  test('a server that is offline when the engine learns of it is listed without an event, and comes online with one', async (t) => {
    const engine = await startEngine(t);
    const send = entrySender(engine);
    engine.shazbotEvents.snapshot();
    /** @type {string[]} */
    const received = [];
    engine.shazbotEvents.on('change', (event) => received.push(summary(event)));
    await send(1, false);
    await send(2, true);
    const { offline } = engine.shazbotEvents.snapshot();
    assert.deepEqual(
      offline.map(({ baseUrl }) => baseUrl),
      [url(1)],
    );
    await send(1, true);
    engine.shazbotEvents.snapshot();
    assert.deepEqual(received, [`online ${url(2)}`, `online ${url(1)}`]);
    assert.ok(engine.shazbotStatus().recent.every(({ type }) => type === 'online'));
  });

  test('events reach diagnostics_channel and events.on without a call of snapshot', async (t) => {
    const engine = await startEngine(t);
    engine.shazbotEvents.snapshot();
    const published = /** @type {MemberEvent[]} */ ([]);
    const subscriber = (/** @type {unknown} */ event) => published.push(/** @type {MemberEvent} */ (event));
    channel('clustershazbot:member:online').subscribe(subscriber);
    t.after(() => channel('clustershazbot:member:online').unsubscribe(subscriber));
    // The engine does not keep the process alive.
    const keepAlive = setInterval(() => {}, 1_000);
    t.after(() => clearInterval(keepAlive));
    const changes = on(engine.shazbotEvents, 'change', { signal: AbortSignal.timeout(10_000) });
    const send = entrySender(engine);
    await send(1, true);
    await send(1, false);
    const first = (await changes.next()).value[0];
    const second = (await changes.next()).value[0];
    assert.deepEqual([summary(first), summary(second)], [`online ${url(1)}`, `offline ${url(1)}`]);
    assert.deepEqual(published, [first]);
    assert.ok(Object.isFrozen(first), 'listeners cannot change the event for each other');
  });

  test('thousands of events at once are emitted in many turns of the event loop, and all before a snapshot', async (t) => {
    const engine = await startEngine(t);
    engine.shazbotEvents.snapshot();
    const keepAlive = setInterval(() => {}, 1_000);
    t.after(() => clearInterval(keepAlive));
    /** @type {string[]} */
    const received = [];
    engine.shazbotEvents.on('online', ({ baseUrl }) => received.push(baseUrl));
    const urls = (/** @type {number} */ port) =>
      Array.from({ length: 3_000 }, (_, n) => `http://10.0.${n >> 8}.${n & 255}:${port}/`);
    const tell = (/** @type {string[]} */ all) =>
      engine.shazbotGossipRequest(SECRET, message(all.map((it) => entry(it))));
    void tell(urls(1));
    let [most, turns] = [0, 0];
    for (let before = 0; received.length < 3_000; before = received.length) {
      await new Promise(setImmediate);
      most = Math.max(most, received.length - before);
      turns += Number(received.length > before);
    }
    assert.ok(most <= 1_000 && turns >= 6, `up to ${most} in one of ${turns} turns`);
    assert.deepEqual(received.slice().sort(), urls(1).sort(), 'each once');
    await tell(urls(2));
    engine.shazbotEvents.snapshot();
    assert.equal(received.length, 6_000);
    await new Promise(setImmediate);
    assert.equal(received.length, 6_000);
  });

  test('a snapshot and the events after it give the current lists, whenever it is taken', async (t) => {
    const engine = await startEngine(t);
    const send = entrySender(engine);
    /** @type {{ online: Set<string>, offline: Set<string> }[]} */
    const views = [];
    const follow = () => {
      const { online, offline } = engine.shazbotEvents.snapshot();
      /** @param {{ baseUrl: string }[]} servers */
      const set = (servers) => new Set(servers.map(({ baseUrl }) => baseUrl));
      const view = { online: set(online), offline: set(offline) };
      views.push(view);
      engine.shazbotEvents.on('change', ({ type, baseUrl }) => {
        const [to, from] = type === 'online' ? [view.online, view.offline] : [view.offline, view.online];
        assert.ok(!to.has(baseUrl), `${baseUrl} was ${type} already`);
        to.add(baseUrl);
        from.delete(baseUrl);
      });
    };
    for (let n = 1; n <= 200; n++) {
      // Each server up to three times; first as online or as offline.
      await send(1 + (n % 67), n % 3 !== 0);
      if (n % 40 === 7) follow();
      if (n % 40 === 20) await new Promise(setImmediate);
    }
    const { online, offline } = engine.shazbotEvents.snapshot();
    for (const view of views) {
      assert.deepEqual([...view.online].sort(), online.map(({ baseUrl }) => baseUrl).sort());
      assert.deepEqual([...view.offline].sort(), offline.map(({ baseUrl }) => baseUrl).sort());
    }
    assert.equal(views.length, 5);
  });

  test('events stay in order for all listeners if one of them takes a snapshot', async (t) => {
    const engine = await startEngine(t);
    const send = entrySender(engine);
    /** @type {string[]} */
    const second = [];
    engine.shazbotEvents.on('change', ({ baseUrl, type }) => {
      if (baseUrl !== url(1) || type !== 'online') return;
      // The engine has the entry when the call returns.
      void send(2, true);
      const { online } = engine.shazbotEvents.snapshot();
      assert.ok(online.some((it) => it.baseUrl === url(2)));
    });
    engine.shazbotEvents.on('change', (event) => second.push(summary(event)));
    await send(1, true);
    engine.shazbotEvents.snapshot();
    assert.deepEqual(second, [`online ${url(1)}`, `online ${url(2)}`]);
  });

  test('a shutdown emits an offline event for the own server', async (t) => {
    const engine = await startEngine(t);
    /** @type {MemberEvent[]} */
    const received = [];
    engine.shazbotEvents.on('change', (event) => received.push(event));
    engine.shazbotEvents.snapshot();
    received.length = 0;
    await engine.shazbotShutDown();
    assert.deepEqual(received.map(summary), [`offline ${engine.baseUrl}`]);
    assert.equal(received[0]?.reason, 'left');
    assert.throws(() => engine.shazbotEvents.snapshot(), { code: 'SHAZBOT_NOT_STARTED' });
  });

  test('listeners get every event, even if another listener blocks or throws', async () => {
    const program = `
      const { shazbotEvents, shazbotGossipRequest, shazbotShutDown, shazbotStart } = require(${JSON.stringify(root)});
      process.on('uncaughtException', ({ message }) => console.log('uncaught', message));
      shazbotEvents.on('online', ({ baseUrl }) => {
        if (baseUrl === 'http://10.0.0.1/') {
          // Blocks the event loop, but not the thread of the engine.
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
          throw new Error('of a listener');
        }
      });
      shazbotEvents.on('change', ({ baseUrl }) => console.log('change', baseUrl));
      (async () => {
        await shazbotStart();
        const online = [1, 2, 3].map((n) => ({ baseUrl: 'http://10.0.0.' + n + '/', monitor: false, lastUpdate: Date.now() }));
        await shazbotGossipRequest('${SECRET}', { message: 'gossip', online });
        const snapshot = shazbotEvents.snapshot();
        console.log('snapshot of', snapshot.online.length);
        await new Promise(setImmediate);
        process.exit();
      })();
    `;
    const env = { SHAZBOT_SECRET: SECRET, SHAZBOT_CONTROL_SECRET: 'control-secret-of-a-test', ...fileList().env };
    const { stdout, stderr } = await runToEnd(['-e', program], {
      env: { ...env, SHAZBOT_BASE_URL: 'http://10.0.0.9/', SHAZBOT_GOSSIP_INTERVAL: '3600' },
    });
    const lines = stdout.trim().split('\n');
    assert.deepEqual(
      lines.filter((line) => line.startsWith('change')).sort(),
      [1, 2, 3, 9].map((n) => `change http://10.0.0.${n}/`),
      stderr,
    );
    assert.deepEqual(lines.slice(-2), ['snapshot of 4', 'uncaught of a listener']);
  });
});
