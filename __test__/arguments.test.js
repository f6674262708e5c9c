'use strict';

// Wrong arguments and options, which would otherwise switch something off or match all servers.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { setTimeout } = require('node:timers/promises');

const index = /** @type {any} */ (require('..'));
const { createFakeCluster } = /** @type {any} */ (require('../lib/testing.js'));
const { shazbotFetch } = /** @type {any} */ (require('../lib/fetch.js'));
const { OnOneServer } = /** @type {any} */ (require('../lib/nestjs.js'));
const { ShazbotService } = /** @type {any} */ (require('../lib/nestjs.js'));
const { ShazbotDispatcher } = /** @type {any} */ (require('../lib/undici.js'));
const { shazbotCoordinator } = /** @type {any} */ (require('../lib/node-cron.js'));
const { shazbotHandler } = /** @type {any} */ (require('../lib/fetch-handler.js'));
const { shazbotMetrics } = /** @type {any} */ (require('../lib/prometheus.js'));
const { shazbotRouter } = /** @type {any} */ (require('../lib/express.js'));

const [A, B] = ['http://a/', 'http://b/'];
const { shazbotOwner, shazbotOwners, shazbotPick, shazbotReady, shazbotServers, shazbotWaitFor } = index;

before(() => createFakeCluster({ online: [{ baseUrl: A, tags: { zone: 'a' } }, B] }));
after(() => createFakeCluster().restore());

/** @type {[call: () => unknown, message: string][]} */
const calls = [
  // Numbers.
  ...[Number.NaN, 'abc', null, -1, 1.5, Infinity].map(
    (value) =>
      /** @type {[() => unknown, string]} */ ([
        () => shazbotOwner('key', { minOnline: value }),
        `shazbotOwner: minOnline must be a whole number, not ${typeof value === 'string' ? '"abc"' : value}`,
      ]),
  ),
  [() => shazbotOwners('key', '2'), 'shazbotOwners: count must be a whole number, not "2"'],
  [
    () => shazbotOwners('key', 2, { minOnline: Number.NaN }),
    'shazbotOwners: minOnline must be a whole number, not NaN',
  ],
  [() => OnOneServer('key', { minOnline: Number.NaN }), 'OnOneServer: minOnline must be a whole number, not NaN'],
  [() => shazbotCoordinator({ minOnline: '3' }), 'shazbotCoordinator: minOnline must be a whole number, not "3"'],
  [
    () => new ShazbotDispatcher({ attempts: 0 }),
    'ShazbotDispatcher: attempts must be a whole number of at least 1, or',
  ],
  [
    () => new ShazbotService({}, { drainFor: '1500' }),
    'ShazbotModule: drainFor must be a number of milliseconds from 0',
  ],
  // Booleans, as they come from environment variables.
  [() => shazbotReady('false'), 'shazbotReady: isReady must be a boolean, not "false"'],
  [() => shazbotCoordinator({ settled: 'false' }), 'shazbotCoordinator: settled must be a boolean, not "false"'],
  [() => shazbotRouter({ page: 'false' }), 'shazbotRouter: page must be a boolean, not "false"'],
  [() => shazbotHandler({ page: 0 }), 'shazbotHandler: page must be a boolean, not 0'],
  [() => new ShazbotService({}, { enabled: 'false' }), 'ShazbotModule: enabled must be a boolean, not "false"'],
  // Texts, and lists of them.
  [() => shazbotPick({ key: 5 }), 'shazbotPick: key must be a string, not 5'],
  [() => shazbotOwner(7), 'shazbotOwner: key must be a string, not 7'],
  [() => OnOneServer({ minOnline: 3 }), 'OnOneServer: key must be a string, not an object'],
  [() => shazbotMetrics({ tags: 'version' }), 'shazbotMetrics: tags must be an array of strings, not "version"'],
  [() => shazbotMetrics({ tags: ['a', 5] }), 'shazbotMetrics: tags must be an array of strings, not ["a", 5]'],
  [() => shazbotMetrics({ register: {} }), 'shazbotMetrics: register must be a registry of prom-client, not an object'],
  [() => shazbotPick({ except: A }), 'shazbotPick: except must be an array or a Set of base URLs, not "http://a/"'],
  [() => shazbotPick({ except: ['a:80'] }), 'shazbotPick: except has "a:80", which is not a base URL'],
  // Conditions.
  [() => shazbotPick({ where: null }), 'shazbotPick: where must be an object of strings or a function, not null'],
  [
    () => shazbotPick({ where: new Map([['zone', 'a']]) }),
    'shazbotPick: where must be an object of strings or a function,',
  ],
  [
    () => shazbotServers(Promise.resolve({})),
    'shazbotServers: where must be an object of strings or a function, not an',
  ],
  [
    () => shazbotOwner('key', { where: { zone: 5 } }),
    'shazbotOwner: where.zone must be a string or an array of strings',
  ],
  [() => new ShazbotDispatcher({ where: 'a' }), 'ShazbotDispatcher: where must be an object of strings or a function'],
  [() => shazbotPick({ prefer: { zone: 'a' } }), 'shazbotPick: prefer must be an array of conditions, not an object'],
  [() => shazbotPick({ prefer: [{ zone: 5 }] }), 'shazbotPick: prefer[0].zone must be a string or an array of strings'],
  // Something else than options.
  [() => shazbotPick('key'), 'shazbotPick: the options must be an object, not "key"'],
  [() => new ShazbotDispatcher({ dispatcher: {} }), 'ShazbotDispatcher: dispatcher must be a dispatcher of undici'],
  [() => createFakeCluster({ online: A }), 'createFakeCluster: online must be an array, not "http://a/"'],
  [() => createFakeCluster({ online: [{ baseUrl: A, ready: 'no' }] }), 'createFakeCluster: ready must be a boolean'],
  [() => createFakeCluster({ online: [{ url: A }] }), 'createFakeCluster: unknown option "url"'],
  // A watch, whose mistakes would come at each event.
  [() => shazbotOwner.watch('key'), 'shazbotOwner.watch: listener must be a function, not undefined'],
  [() => shazbotOwner.watch(5, () => {}), 'shazbotOwner.watch: key must be a string, not 5'],
  [
    () => shazbotOwner.watch('key', () => {}, { where: 'bad' }),
    'shazbotOwner.watch: where must be an object of strings',
  ],
  // Functions that return a promise.
  [() => shazbotWaitFor({ online: Number.NaN }), 'shazbotWaitFor: online must be a whole number, not NaN'],
  [
    () => shazbotWaitFor({ timeout: 3e9 }),
    'shazbotWaitFor: timeout must be a number of milliseconds from 0 to 2147483647',
  ],
  [() => shazbotWaitFor({ signal: {} }), 'shazbotWaitFor: signal must be an AbortSignal, not an object'],
  [() => shazbotWaitFor(3), 'shazbotWaitFor: the options must be an object, not 3'],
  [
    () => shazbotFetch('/', { attempts: 0 }),
    'shazbotFetch: attempts must be a whole number of at least 1, or Infinity',
  ],
  [
    () => shazbotFetch('/', { attempts: Number.NaN }),
    'shazbotFetch: attempts must be a whole number of at least 1, or',
  ],
  [() => shazbotFetch('/', { attemptTimeout: '5' }), 'shazbotFetch: attemptTimeout must be a number of milliseconds'],
  [() => shazbotFetch('/', { except: A }), 'shazbotFetch: except must be an array or a Set of base URLs'],
  [() => index.shazbotShutDown({ drainFor: '5' }), 'shazbotShutDown: drainFor must be a number of milliseconds from 0'],
  [() => require('../lib/fastify.js')(any({}), any({ enabled: 'false' })), 'shazbotFastify: enabled must be a boolean'],
];

describe('a wrong argument is a TypeError that names it', () => {
  for (const [call, message] of calls) {
    test(message, async () => {
      // Of a synchronous function, which throws, or of one that returns a promise.
      await assert.rejects(
        async () => call(),
        (error) => {
          assert.ok(error instanceof TypeError, String(error));
          assert.ok(error.message.startsWith(message), error.message);
          return true;
        },
      );
    });
  }

  test('and changes nothing: a fake cluster stays as it was', () => {
    assert.throws(() => createFakeCluster({ online: ['not a URL'] }), /"not a URL" is not a base URL/);
    assert.equal(shazbotServers().length, 2);
  });
});

describe('a condition', () => {
  test('that is malformed is an error, whatever was asked before', () => {
    for (const where of [{}, { zone: 'a' }, undefined]) shazbotPick({ where });
    for (const where of [{ role: undefined }, { role: undefined, zone: 'a' }, { zone: ['a', undefined] }, null]) {
      assert.throws(() => shazbotPick({ where }), TypeError);
      assert.throws(() => shazbotOwner('key', { where }), TypeError);
    }
  });

  test('that is a function must not return a promise, which would match all servers', async () => {
    const where = async () => false;
    assert.throws(() => shazbotServers(where), /where must return a boolean, not a promise/);
    assert.throws(() => shazbotPick({ where }), TypeError);
    await assert.rejects(shazbotWaitFor({ where }), TypeError);
  });

  test('may be an instance of a class with fields', () => {
    class InZone {
      zone = 'a';
    }
    assert.equal(shazbotPick({ where: new InZone() }).baseUrl, A);
  });
});

test('base URLs that are excluded need not be written as in the lists', () => {
  for (const except of [['http://a'], new Set(['HTTP://A:80/'])]) {
    for (let i = 0; i < 20; i++) assert.equal(shazbotPick({ except }).baseUrl, B);
  }
});

test('a limit of Infinity is none', async () => {
  assert.equal((await shazbotWaitFor({ online: 2, timeout: Infinity })).length, 2);
  const waiting = shazbotWaitFor({ online: 3, timeout: Infinity });
  assert.equal(await Promise.race([waiting, setTimeout(50, 'waits')]), 'waits');
  const cluster = createFakeCluster({ online: [A, B, 'http://c/'] });
  assert.equal((await waiting).length, 3);
  cluster.set({ online: [{ baseUrl: A, tags: { zone: 'a' } }, B] });
});

describe('a wait', () => {
  test('ends when its signal is aborted', async () => {
    const controller = new AbortController();
    const waiting = shazbotWaitFor({ online: 3, signal: controller.signal });
    const reason = new Error('the program ends');
    controller.abort(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(shazbotWaitFor({ signal: controller.signal }), reason);
  });

  test('leaves no listener at its signal', async (t) => {
    const { signal } = new AbortController();
    const removed = t.mock.method(signal, 'removeEventListener');
    await shazbotWaitFor({ online: 2, signal });
    assert.equal(removed.mock.callCount(), 1);
  });
});

test('a watch calls its listener at first, also if nobody owns the key', async () => {
  /** @type {unknown[]} */
  const owners = [];
  const stop = shazbotOwner.watch('key', (/** @type {unknown} */ owner) => owners.push(owner), { minOnline: 3 });
  await setTimeout(10);
  stop();
  assert.deepEqual(owners, [undefined]);
});

/** What JavaScript lets a program pass. @param {object} value @returns {any} */
function any(value) {
  return value;
}
