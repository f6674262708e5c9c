'use strict';

const assert = require('node:assert/strict');
const { channel } = require('node:diagnostics_channel');
const { on } = require('node:events');
const { describe, test } = require('node:test');

const { SECRET, acquainted, agree, fileList, startServers } = require('../harness/cluster.js');
const { startEngine } = require('../harness/engine.js');
const { entry, message } = require('../harness/gossip.js');
const { root, runToEnd } = require('./support/programs.js');
const { until } = require('../harness/until.js');

/** @typedef {import('..').MemberEvent} MemberEvent */
/** @typedef {Awaited<ReturnType<typeof startEngine>>} Engine */

/** @param {number} n */
const url = (n) => `http://10.0.0.${n}:3000/`;

/**
 * Tells an engine of a server in the words of version 1, each time with a newer stamp.
 *
 * @param {Engine} engine
 */
function gossiper({ shazbotGossipRequest }) {
  let age = 600_000;
  /**
   * @param {number} n
   * @param {boolean} online
   */
  return (n, online) => {
    age -= 1_000;
    const said = [entry(url(n), age)];
    return shazbotGossipRequest(SECRET, online ? message(said) : message([], said));
  };
}

/** @param {MemberEvent} event */
const brief = ({ type, baseUrl }) => `${type} ${baseUrl}`;

describe('events of servers that are processes', () => {
  test('each says why, and who said so', async (t) => {
    const servers = await startServers(t, 3, { env: { ...fileList().env, SHAZBOT_GOSSIP_INTERVAL: '0.3' } });
    const [watcher, other, third] = /** @type {[typeof servers[0], typeof servers[0], typeof servers[0]]} */ (servers);
    await agree(servers, { online: servers });
    await acquainted(servers);
    /**
     * @param {typeof watcher} about
     * @param {(about: typeof watcher) => Promise<unknown>} act
     * @param {(event: MemberEvent) => boolean} isLast
     */
    const after = async (about, act, isLast) => {
      const from = watcher.events.length;
      await act(about);
      const news = () => watcher.events.slice(from).filter(({ baseUrl }) => baseUrl === about.baseUrl);
      return until(() => (news().some(isLast) ? news() : undefined), { timeout: 20_000, what: 'the event comes' });
    };
    const offline = (/** @type {MemberEvent} */ { type }) => type === 'offline';
    const online = (/** @type {MemberEvent} */ { type }) => type === 'online';

    const [drained] = await after(other, (it) => it.drain(), offline);
    assert.equal(drained?.reason, 'drained');
    assert.ok(drained && drained.knownAfter < 5_000 && Math.abs(Date.now() - drained.at) < 60_000);
    assert.ok(!('by' in drained), 'it said so itself');
    const [back] = await after(other, (it) => it.undrain(), online);
    assert.deepEqual(back && Object.keys(back), ['type', 'baseUrl', 'monitor', 'lastUpdate', 'at', 'knownAfter']);

    const [left] = await after(other, (it) => it.terminate(), offline);
    assert.equal(left?.reason, 'left');
    await after(other, (it) => it.restart(), online);
    await agree(servers, { online: servers });
    await acquainted(servers);

    const killed = await after(other, (it) => it.kill(), offline);
    const dead = killed.at(-1);
    assert.equal(dead?.reason, 'failed');
    assert.ok([watcher.baseUrl, third.baseUrl].includes(String(dead?.by)), `${dead?.by} said so`);
    // Whoever called it dead has suspected it before.
    const accuser = dead?.by === watcher.baseUrl ? watcher : third;
    const suspected = accuser.events.map(brief).lastIndexOf(`suspect ${other.baseUrl}`);
    assert.ok(suspected >= 0 && suspected < accuser.events.map(brief).lastIndexOf(`offline ${other.baseUrl}`));
  });
});

describe('events of an engine in this process', () => {
  test('they come in order, each change after what it is', async (t) => {
    const engine = await startEngine(t);
    const tell = gossiper(engine);
    /** @type {string[]} */
    const heard = [];
    engine.shazbotEvents.on('online', (event) => heard.push(brief(event)));
    engine.shazbotEvents.on('offline', (event) => heard.push(brief(event)));
    engine.shazbotEvents.on('change', (event) => heard.push(`change ${event.baseUrl}`));
    // What has happened so far is told to nobody.
    engine.shazbotEvents.snapshot();
    heard.length = 0;
    for (let n = 1; n <= 3; n++) await tell(n, true);
    await tell(4, false);
    engine.shazbotEvents.snapshot();
    const expected = [1, 2, 3].flatMap((n) => [`online ${url(n)}`, `change ${url(n)}`]);
    assert.deepEqual(heard, [...expected, `offline ${url(4)}`, `change ${url(4)}`]);
  });

  test('they come by themselves, to listeners, to diagnostics_channel and to events.on', async (t) => {
    const engine = await startEngine(t);
    engine.shazbotEvents.snapshot();
    const published = /** @type {MemberEvent[]} */ ([]);
    const subscriber = (/** @type {unknown} */ event) => published.push(/** @type {MemberEvent} */ (event));
    channel('clustershazbot:member:online').subscribe(subscriber);
    t.after(() => channel('clustershazbot:member:online').unsubscribe(subscriber));
    // The engine keeps no program running.
    const hold = setInterval(() => {}, 1_000);
    t.after(() => clearInterval(hold));
    const changes = on(engine.shazbotEvents, 'change', { signal: AbortSignal.timeout(10_000) });
    const tell = gossiper(engine);
    await tell(1, true);
    await tell(2, false);
    const first = (await changes.next()).value[0];
    const second = (await changes.next()).value[0];
    assert.deepEqual([brief(first), brief(second)], [`online ${url(1)}`, `offline ${url(2)}`]);
    assert.deepEqual(published, [first]);
    assert.ok(Object.isFrozen(first), 'nobody changes what the others hear');
  });

  test('what follows a snapshot is news to it, and nothing is lost, whenever it is taken', async (t) => {
    const engine = await startEngine(t);
    const tell = gossiper(engine);
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
        assert.ok(!to.has(baseUrl), `${baseUrl} is ${type} already`);
        to.add(baseUrl);
        from.delete(baseUrl);
      });
    };
    for (let n = 1; n <= 200; n++) {
      await tell(n % 250, n % 3 !== 0);
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

  test('a listener that takes a snapshot keeps them in order for the others', async (t) => {
    const engine = await startEngine(t);
    const say = gossiper(engine);
    /** @type {string[]} */
    const second = [];
    engine.shazbotEvents.on('change', ({ baseUrl, type }) => {
      if (baseUrl !== url(1) || type !== 'online') return;
      // Heard at once, by a call.
      void say(2, true);
      const { online } = engine.shazbotEvents.snapshot();
      assert.ok(online.some((it) => it.baseUrl === url(2)));
    });
    engine.shazbotEvents.on('change', (event) => second.push(brief(event)));
    await say(1, true);
    engine.shazbotEvents.snapshot();
    assert.deepEqual(second, [`online ${url(1)}`, `online ${url(2)}`]);
  });

  test('a shutdown is told, and listeners hear of the next start', async (t) => {
    const engine = await startEngine(t);
    /** @type {MemberEvent[]} */
    const heard = [];
    engine.shazbotEvents.on('change', (event) => heard.push(event));
    engine.shazbotEvents.snapshot();
    heard.length = 0;
    await engine.shazbotShutDown();
    assert.deepEqual(heard.map(brief), [`offline ${engine.baseUrl}`]);
    assert.equal(heard[0]?.reason, 'left');
    assert.throws(() => engine.shazbotEvents.snapshot(), { code: 'SHAZBOT_NOT_STARTED' });
  });

  test('a slow listener delays nothing that the engine does, and one that throws keeps nothing from the others', async () => {
    const program = `
      const { shazbotEvents, shazbotGossipRequest, shazbotShutDown, shazbotStart } = require(${JSON.stringify(root)});
      process.on('uncaughtException', ({ message }) => console.log('uncaught', message));
      shazbotEvents.on('online', ({ baseUrl }) => {
        if (baseUrl === 'http://10.0.0.1/') {
          // The engine goes on with its own thread meanwhile: it is asked for more while this stands still.
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
