'use strict';

// The command line: owner and pick.

const assert = require('node:assert/strict');
const path = require('node:path');
const { describe, test } = require('node:test');

const { CONTROL_SECRET, agree, fileList, startServers } = require('../harness/cluster.js');
const { until } = require('../harness/until.js');
const { AT, member, serverWith, statusOf } = require('./support/made-up-status.js');
const { root, runToEnd } = require('./support/programs.js');

const { owners } = require('../docs/ownership-vectors.json');

const BIN = path.join(root, 'bin', 'clustershazbot.js');

/** @typedef {import('node:test').TestContext} TestContext */

/** Runs a command where no addon can be loaded. @param {string[]} args */
const run = (...args) =>
  runToEnd(['--no-addons', BIN, ...args], { env: { SHAZBOT_CONTROL_SECRET: CONTROL_SECRET, NO_COLOR: '1' } });

/**
 * Returns a function that runs a command against a server that answers with this status.
 * @param {TestContext} t
 * @param {any[]} members
 * @param {object} [more]
 */
async function asking(t, members, more) {
  const { baseUrl } = await serverWith(t, statusOf(members, more));
  return (/** @type {string[]} */ ...args) => run(...args, '--url', baseUrl);
}

/** @param {string} baseUrl @param {object} [more] */
const server = (baseUrl, more) => member('', { baseUrl, ready: true, ...more });

const vector = /** @type {typeof owners[0]} */ (owners.find(({ order }) => order.length >= 4));
const { key, order } = vector;
const [first, second, third, fourth] = /** @type {[string, string, string, string]} */ (/** @type {unknown} */ (order));

describe('owner', () => {
  test('names the owner, the next ones, and whether that is settled', async (t) => {
    const ask = await asking(
      t,
      vector.servers.map((url) => server(url)),
    );
    const { code, stdout } = await ask('owner', key);
    assert.deepEqual([code, stdout], [0, `owner    ${first}\nsettled  yes\n`]);
    assert.match((await ask('owner', key, '--count', '2')).stdout, /^owner +(\S+)\nnext +(\S+)\nsettled +yes\n$/);
    const json = JSON.parse((await ask('owner', key, '--count', '100', '--json')).stdout);
    assert.deepEqual(json, { key, owner: first, owners: order, settled: true });
  });

  test('passes over servers that are offline, not ready or without the tags', async (t) => {
    const tags = { role: 'api' };
    const ask = await asking(t, [
      server(first, { state: 'offline', reason: 'failed', tags }),
      server(second, { ready: false, tags }),
      server(third),
      server(fourth, { tags }),
    ]);
    const ownersFor = async (/** @type {string[]} */ ...args) =>
      JSON.parse((await ask('owner', key, '--count', '9', '--json', ...args)).stdout).owners;
    assert.deepEqual(await ownersFor(), [third, fourth]);
    assert.deepEqual(await ownersFor('--where', 'role=api'), [fourth]);
    // As shazbotOwner counts: those that are not ready, too.
    assert.deepEqual(await ownersFor('--where', 'role=api', '--min-online', '2'), [fourth]);
    const few = await ask('owner', key, '--where', 'role=api', '--min-online', '3');
    assert.deepEqual([few.code, few.stdout], [1, '']);
    assert.match(few.stderr, /Nobody owns the key: 2 servers online, at least 3 required/);
    const none = await ask('owner', key, '--where', 'role=db', '--min-online', '0', '--json');
    assert.deepEqual([none.code, Object.keys(JSON.parse(none.stdout))], [1, ['error']]);
  });

  test('is not settled for two intervals after a change, and while a server is suspected', async (t) => {
    const isSettled = async (/** @type {object} */ more, /** @type {object} */ state = {}) => {
      const ask = await asking(t, [server(first), server(second, state)], more);
      return JSON.parse((await ask('owner', key, '--json')).stdout).settled;
    };
    const event = (/** @type {string} */ type, /** @type {number} */ ago) => ({ type, baseUrl: first, at: AT - ago });
    assert.equal(await isSettled({ recent: [event('online', 60_001)] }), true);
    assert.equal(await isSettled({ recent: [event('online', 59_999), event('suspect', 10)] }), false);
    assert.equal(await isSettled({ recent: [event('suspect', 10)] }), true, 'the suspicion is over');
    assert.equal(await isSettled({ startedAt: AT - 59_999 }), false);
    assert.equal(await isSettled({}, { state: 'suspect' }), false);
    const ask = await asking(t, [server(first)], { recent: undefined });
    assert.equal((await ask('owner', key)).stdout, `owner  ${first}\n`, 'the status does not say');
    const unsettled = await asking(t, [server(first)], { startedAt: AT });
    assert.match((await unsettled('owner', key)).stdout, /\nsettled +no: .* others may see another owner\n$/);
  });

  test('is the one that the servers compute, without the native binary', { timeout: 60_000 }, async (t) => {
    const servers = await startServers(t, 3, { env: { ...fileList().env, TEST_ROUTER: 'yes' } });
    await agree(servers, { online: servers });
    const [own] = /** @type {[typeof servers[0]]} */ (servers);
    const ask = async (/** @type {string[]} */ ...args) =>
      JSON.parse((await run(...args, '--json', '--url', own.baseUrl)).stdout);
    for (const text of ['nightly', 'user:42', 'Schlüssel 😀', '']) {
      const computed = await own.order('call', 'shazbotOwners', text, 3);
      assert.deepEqual((await ask('owner', text, '--count', '3')).owners, computed, text);
      assert.equal((await ask('pick', '--key', text)).picked, computed[0], text);
    }
    await until(async () => (await own.order('call', 'shazbotOwner', 'nightly')).settled, { what: 'it is settled' });
    await until(async () => (await ask('owner', 'nightly')).settled, { what: 'the command says so', timeout: 3_000 });
  });
});

describe('pick', () => {
  test('prints a URL alone: of any server that is ready and matches', async (t) => {
    const members = [
      server(first, { ready: false }),
      server(second),
      server(third),
      server(fourth, { tags: { a: 'b' } }),
    ];
    const ask = await asking(t, members);
    const seen = new Set();
    await until(async () => seen.add((await ask('pick')).stdout).size === 3, {
      what: 'each is picked',
      timeout: 60_000,
    });
    assert.deepEqual(seen, new Set([second, third, fourth].map((url) => `${url}\n`)));
    assert.equal((await ask('pick', '--where', 'a=b')).stdout, `${fourth}\n`);
    const none = await ask('pick', '--where', 'a=c');
    assert.deepEqual([none.code, none.stdout], [1, '']);
    assert.match(none.stderr, /No server that matches is online and ready/);
  });

  test('chooses a suspected server only if all are suspected', async (t) => {
    const [suspect, other] = [server(first, { state: 'suspect' }), server(second)];
    const both = await asking(t, [suspect, other]);
    assert.equal((await both('pick', '--key', key)).stdout, `${second}\n`);
    assert.equal((await both('owner', key, '--json')).stdout.includes(`"owner": "${first}"`), true);
    const alone = await asking(t, [suspect]);
    assert.equal((await alone('pick')).stdout, `${first}\n`);
  });
});

test('owner and pick report wrong usage, and that a server has no status, in one line', async (t) => {
  const ask = await asking(t, [server(first)]);
  for (const wrong of [
    ['owner'],
    ['owner', 'a', 'b'],
    ['owner', 'a', '--count', '0'],
    ['owner', 'a', '--count', 'x'],
    ['owner', 'a', '--min-online', '-1'],
    ['owner', 'a', '--where', 'role'],
    ['owner', 'a', '--key', 'b'],
    ['pick', 'a'],
  ]) {
    const { code, stderr } = await ask(...wrong);
    assert.deepEqual([code, stderr.trim().split('\n').length], [2, 1], `${wrong}: ${stderr}`);
  }
  const old = await asking(t, [], { exchanges: undefined });
  assert.equal((await old('pick')).code, 1);
});
