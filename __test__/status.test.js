'use strict';

// shazbotStatus: what it reports about members, exchanges and master lists.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const {
  CONTROL_SECRET,
  SECRET,
  untilGossiped,
  agree,
  fileList,
  startServer,
  startServers,
} = require('../harness/cluster.js');
const { catchWarnings, freshEngine, startEngine } = require('../harness/engine.js');
const { unusedUrl, startFakePeer } = require('../harness/fake-peer.js');
const { entry, message } = require('../harness/gossip.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

/** @typedef {import('..').ShazbotStatus} ShazbotStatus */

/** @param {ShazbotStatus} status */
const byUrl = (status) => new Map(status.members.map((member) => [member.baseUrl, member]));

describe('the status', () => {
  test('shows the state of each server, its protocol version and why it is offline', async (t) => {
    const { env } = await startStore(t);
    const [watcher, other, leaver] = await startServers(t, 3, { env });
    assert.ok(watcher && other && leaver);
    const v1 = await startServer(t, { env, engine: 'v1' });
    await agree([watcher, other, leaver, v1], { online: [watcher, other, leaver, v1] });
    await untilGossiped([watcher, other, leaver]);
    await leaver.terminate();
    await other.drain();
    await agree([watcher], { online: [watcher, v1], offline: [other, leaver] });
    /** @type {ShazbotStatus} */
    const status = await watcher.order('call', 'shazbotStatus');
    const members = byUrl(status);
    const own = members.get(watcher.baseUrl);
    assert.deepEqual([own?.state, own?.protocol, own?.failures], ['online', 2, 0]);
    assert.equal(members.get(v1.baseUrl)?.protocol, 1);
    assert.ok(!('incarnation' in Object(members.get(v1.baseUrl))));
    const drained = members.get(other.baseUrl);
    assert.deepEqual([drained?.state, drained?.reason, drained?.by], ['offline', 'drained', undefined]);
    assert.equal(members.get(leaver.baseUrl)?.reason, 'left');
    for (const about of [other, leaver]) {
      const { since, answered = 0, heard = 0 } = members.get(about.baseUrl) ?? assert.fail();
      assert.ok(since <= heard && answered > 0 && heard <= status.at, JSON.stringify(members.get(about.baseUrl)));
    }

    assert.equal(status.baseUrl, watcher.baseUrl);
    assert.deepEqual(
      [status.state, status.version, status.interval],
      ['online', require('../package.json').version, 0.3],
    );
    assert.ok(status.startedAt <= status.at && Math.abs(status.at - Date.now()) < 60_000);
    assert.ok(status.lastOut && members.has(status.lastOut.baseUrl) && status.at - status.lastOut.at < 5_000);
    assert.ok(status.lastIn && status.at - status.lastIn.at < 5_000);
    assert.deepEqual(
      status.recent
        .map(({ type, baseUrl }) => `${type} ${baseUrl}`)
        .filter((it) => it.startsWith('offline'))
        .sort(),
      [`offline ${other.baseUrl}`, `offline ${leaver.baseUrl}`].sort(),
    );
    assert.equal((await other.order('call', 'shazbotStatus')).state, 'drained');
  });

  test('lists the event for each change that its members show', async (t) => {
    const engine = await startEngine(t);
    const url = await unusedUrl();
    // The status is read before the request is answered and its events are emitted.
    const request = engine.shazbotGossipRequest(SECRET, message([entry(url)]));
    const { members, recent } = engine.shazbotStatus();
    await request;
    assert.ok(members.some(({ baseUrl }) => baseUrl === url));
    assert.ok(recent.some(({ type, baseUrl }) => type === 'online' && baseUrl === url));
  });

  test('shows a server that does not answer as suspect, then as failed with the server that reported it', async (t) => {
    const { env } = fileList();
    const servers = await startServers(t, 3, { env: { ...env, SHAZBOT_GOSSIP_INTERVAL: '0.5' } });
    const [watcher, other, hung] = servers;
    assert.ok(watcher && other && hung);
    await agree(servers, { online: servers });
    await untilGossiped(servers);
    hung.signal('SIGSTOP');
    const memberIn = async (/** @type {string} */ state) => {
      /** @type {ShazbotStatus[]} */
      const statuses = await Promise.all([watcher, other].map((it) => it.order('call', 'shazbotStatus')));
      return statuses.map((status) => byUrl(status).get(hung.baseUrl)).find((member) => member?.state === state);
    };
    const suspect = await until(() => memberIn('suspect'), { every: 20, what: 'the stopped server is suspect' });
    assert.ok(suspect && suspect.failures > 0);
    const failed = await until(() => memberIn('offline'), { what: 'the stopped server is offline' });
    assert.equal(failed?.reason, 'failed');
    assert.ok([watcher.baseUrl, other.baseUrl].includes(String(failed?.by)));
    hung.signal('SIGCONT');
    await agree(servers, { online: servers });
    const back = await until(() => memberIn('online'), { what: 'the continued server is online' });
    assert.ok(back && !('reason' in back) && !('by' in back));
  });

  test('counts exchanges in both directions by outcome, with their durations and bytes', async (t) => {
    const peer = await startFakePeer(t);
    const refusing = await unusedUrl();
    const engine = await startEngine(t, { SHAZBOT_GOSSIP_INTERVAL: '0.3' });
    const { shazbotGossipRequest, shazbotListRequest, shazbotStatus } = engine;
    await shazbotGossipRequest(SECRET, message([peer.entry(), entry(refusing)]));
    await assert.rejects(shazbotGossipRequest('wrong', message()), { code: 'SHAZBOT_UNAUTHORIZED' });
    await assert.rejects(shazbotGossipRequest(SECRET, /** @type {any} */ ({})), { code: 'SHAZBOT_INVALID_MESSAGE' });
    await shazbotListRequest('');
    const counted = () => {
      const { exchanges } = shazbotStatus();
      return exchanges.out.answered > 1 && exchanges.out.refused > 1 ? exchanges : undefined;
    };
    const exchanges = await until(counted, { what: 'two exchanges were answered and two refused' });
    assert.deepEqual(exchanges.in, { answered: 1, rejected: 1, invalid: 1, limited: 0 });
    const { le, counts, sum } = exchanges.durations;
    assert.equal(counts.length, le.length + 1);
    assert.ok(counts.reduce((a, b) => a + b) >= 2 && sum > 0);
    assert.ok(exchanges.bytes.out.sent > 100 && exchanges.bytes.out.received > 100);
    assert.ok(exchanges.eventLoop > 0 && exchanges.eventLoop < 1);
    catchWarnings(t);
    peer.answer = () => ({ status: 401, body: { error: 'Unauthorized: Invalid SHAZBOT_SECRET' } });
    await until(() => shazbotStatus().exchanges.out.rejected > 0, { what: 'an exchange is rejected' });
  });

  test('shows the last read and the failures of each master list, without its secrets', async (t) => {
    const store = await startFakePeer(t, { answer: () => ({ status: 503, body: 'down' }) });
    const list = `${store.baseUrl}servers.json?signature=a-secret-signature`;
    const engine = await startEngine(t, {
      SHAZBOT_MASTER_LIST: `${list} ${fileList().env.SHAZBOT_MASTER_LIST}`,
      SHAZBOT_MASTER_LIST_UPDATE: `${list} ${fileList().env.SHAZBOT_MASTER_LIST}`,
      SHAZBOT_MASTER_LIST_UPDATE_AUTH: 'a-secret-header',
    });
    const [failing, works] = await until(
      () => {
        const lists = engine.shazbotStatus().masterLists;
        return lists[0]?.error && lists[1]?.read ? lists : undefined;
      },
      { timeout: 20_000, what: 'one list failed and the other one was read' },
    );
    assert.equal(failing?.name, `${store.baseUrl}servers.json`);
    assert.ok(
      failing && failing.failures > 0 && failing.failed >= failing.failures && /503/.test(String(failing.error)),
    );
    assert.ok(works && works.failures === 0 && !('error' in works) && Number(works.read) <= Date.now());
    const text = JSON.stringify(engine.shazbotStatus());
    for (const secret of ['a-secret', SECRET, CONTROL_SECRET]) assert.ok(!text.includes(secret), secret);
  });

  test('is not available before the start and after a shutdown', async (t) => {
    assert.throws(() => freshEngine().shazbotStatus(), { code: 'SHAZBOT_NOT_STARTED', status: 503 });
    const engine = await startEngine(t);
    assert.equal(engine.shazbotStatus().members.length, 1);
    await engine.shazbotShutDown();
    assert.throws(() => engine.shazbotStatus(), { code: 'SHAZBOT_NOT_STARTED' });
  });
});
