'use strict';

// Unknown names of events and options, which would otherwise have no effect without a word.

const assert = require('node:assert/strict');
const { errorMonitor, once } = require('node:events');
const { describe, test } = require('node:test');

const index = /** @type {any} */ (require('..'));
const { createFakeCluster } = require('../lib/testing.js');

/**
 * @param {() => unknown} call
 * @param {string} text that the message begins with
 */
const throwsUnknownName = (call, text) =>
  assert.throws(call, (error) => {
    assert.ok(error instanceof TypeError);
    assert.equal(/** @type {NodeJS.ErrnoException} */ (error).code, 'SHAZBOT_UNKNOWN_NAME');
    assert.ok(error.message.startsWith(text), error.message);
    assert.match(error.message, /\. See clustershazbot\/docs\/errors\.md#shazbot_unknown_name$/);
    return true;
  });

describe('a listener for an event', () => {
  const { shazbotEvents } = index;

  test('that does not exist is rejected, and the event that was probably meant is named', async () => {
    const text =
      'shazbotEvents: unknown event "ofline". Did you mean offline? The events are: online, offline, suspect,';
    for (const method of ['on', 'once', 'addListener', 'prependListener', 'prependOnceListener'])
      throwsUnknownName(() => shazbotEvents[method]('ofline', () => {}), text);
    await assert.rejects(once(shazbotEvents, 'ofline'), { code: 'SHAZBOT_UNKNOWN_NAME' });
    throwsUnknownName(() => shazbotEvents.on('xyz', () => {}), 'shazbotEvents: unknown event "xyz". The events are: ');
    assert.deepEqual(shazbotEvents.eventNames(), []);
  });

  test('that exists is called, as are those of every EventEmitter', () => {
    const seen = /** @type {string[]} */ ([]);
    shazbotEvents.on('newListener', (/** @type {string} */ name) => seen.push(`new ${String(name)}`));
    shazbotEvents.on('removeListener', (/** @type {string} */ name) => seen.push(`removed ${String(name)}`));
    for (const name of ['online', 'offline', 'suspect', 'tags', 'ready', 'change', 'error'])
      shazbotEvents.once(name, () => seen.push(name));
    shazbotEvents.on(errorMonitor, () => seen.push('monitored'));
    shazbotEvents.emit('error', new Error('an error'));
    shazbotEvents.emit('tags', {});
    assert.ok(seen.includes('new tags') && seen.includes('removed tags'), String(seen));
    assert.deepEqual(seen.slice(-5), ['monitored', 'removed error', 'error', 'removed tags', 'tags']);
    shazbotEvents.removeAllListeners();
  });
});

describe('an option', () => {
  /** @type {[what: string, call: () => unknown, text: string][]} */
  const calls = [
    [
      'shazbotPick',
      () => index.shazbotPick({ wher: {} }),
      '"wher". Did you mean where? The options are: where, prefer,',
    ],
    ['shazbotOwner', () => index.shazbotOwner('key', { minonline: 2 }), '"minonline". Did you mean minOnline?'],
    ['shazbotOwners', () => index.shazbotOwners('key', 1, { count: 2 }), '"count". The options are: where, minOnline'],
    [
      'shazbotOwner.watch',
      () => index.shazbotOwner.watch('key', () => {}, { were: {} }),
      '"were". Did you mean where?',
    ],
    ['ShazbotDispatcher', dispatcher, '"atempts". Did you mean attempts?'],
    ['shazbotRouter', () => require('../lib/express.js').shazbotRouter(any({ pages: false })), '"pages". Did you mean'],
    [
      'shazbotHandler',
      () => require('../lib/fetch-handler.js').shazbotHandler(any({ pag: false })),
      '"pag". Did you mean',
    ],
    ['shazbotCoordinator', coordinator, '"setled". Did you mean settled?'],
    [
      'shazbotMetrics',
      () => require('../lib/prometheus.js').shazbotMetrics(any({ registry: {} })),
      '"registry". Did you',
    ],
    ['createFakeCluster', () => createFakeCluster(any({ onlin: [] })), '"onlin". Did you mean online?'],
    ['ShazbotModule', () => new (any(require('../lib/nestjs.js').ShazbotService))({}, { enable: false }), '"enable".'],
    ['OnOneServer', () => require('../lib/nestjs.js').OnOneServer('key', any({ minOnlin: 2 })), '"minOnlin". Did you'],
  ];
  for (const [what, call, text] of calls) {
    test(`that does not exist is rejected by ${what}: ${text.split('.')[0]}`, () =>
      throwsUnknownName(call, `${what}: unknown option ${text}`));
  }

  function dispatcher() {
    return new (require('../lib/undici.js').ShazbotDispatcher)(any({ atempts: 2 }));
  }

  function coordinator() {
    return require('../lib/node-cron.js').shazbotCoordinator(any({ setled: true }));
  }

  test('that does not exist is rejected by functions that return a promise', async () => {
    const { shazbotFetch } = require('../lib/fetch.js');
    for (const call of [
      () => index.shazbotWaitFor({ onlin: 2 }),
      () => index.shazbotShutDown({ drain: 2 }),
      () => shazbotFetch('/', any({ atempts: 2 })),
      () => require('../lib/fastify.js')(any({}), any({ enable: false })),
    ]) {
      const promise = call();
      assert.ok(promise instanceof Promise);
      await assert.rejects(promise, { name: 'TypeError', code: 'SHAZBOT_UNKNOWN_NAME' });
    }
  });

  test('of fetch itself, of another runtime, or of Fastify, is not rejected', async (t) => {
    createFakeCluster();
    t.after(() => createFakeCluster().restore());
    const { shazbotFetch } = require('../lib/fetch.js');
    const standard = {
      method: 'PUT',
      headers: {},
      body: 'a',
      mode: 'cors',
      cache: 'no-store',
      redirect: 'error',
      duplex: 'half',
    };
    Object.assign(standard, { credentials: 'omit', referrer: '', referrerPolicy: '', integrity: '', keepalive: false });
    Object.assign(standard, { signal: null, window: null, priority: 'low', dispatcher: undefined });
    const runtimes = ['tls', 'proxy', 'unix', 'verbose', 'decompress', 'protocol', 's3', 'client', 'next', 'cf'];
    const init = { ...standard, ...Object.fromEntries(runtimes.map((name) => [name, null])) };
    await assert.rejects(shazbotFetch('/', any(init)), { code: 'SHAZBOT_NO_SERVER' });
    const ofFastify = any({ prefix: '/x', logLevel: 'warn', logSerializers: {}, anything: 1, enabled: false });
    Object.assign(ofFastify, { host: 'a', path: '/', name: 'b', sort: true, post: 1, stage: 'test', image: 'c' });
    const fastify = { prefix: '/x', removeAllContentTypeParsers() {}, addContentTypeParser() {}, all() {} };
    await require('../lib/fastify.js')(any(fastify), ofFastify);
  });

  test('cannot be in what a program of version 1 passes to shazbotShutDown as a callback', async () => {
    const ofLibraries = [{ signal: 'SIGTERM' }, { err: new Error('an error'), manual: true }, { drainFor: undefined }];
    for (const value of ['SIGTERM', 15, new Error('an error'), new (class App {})(), null, undefined, ...ofLibraries])
      await index.shazbotShutDown(value);
  });
});

/** What JavaScript lets a program pass. @param {object} value @returns {any} */
function any(value) {
  return value;
}
