'use strict';

// A living server stays listed online while others attack it without pause, and a wrong clock does not empty a master list.
// `npm run bench -- hostile` measures the same for longer.

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const { test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');

const { agree, fileList, startServer, startServers, urls } = require('../harness/cluster.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const {
  badEntries,
  capturedMessage,
  flood,
  lies,
  shareOnline,
  slander,
  smallMessages,
} = require('../harness/hostile-load.js');
const { until } = require('../harness/until.js');

/** @typedef {import('../harness/cluster.js').Scope} Scope */
/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

/** The share of time that a server must be listed online: 0.97 and 1, less what a busy machine may take. */
const MUST = { slandered: 0.9, flooded: 1 };
const ROUTER = { TEST_ROUTER: 'yes', SHAZBOT_GOSSIP_INTERVAL: '5' };
const HOUR = 3_600_000;

/** @param {Scope} t @param {Record<string, string>} [env] */
async function cluster(t, env) {
  const servers = await startServers(t, 4, { env: { ...ROUTER, ...fileList().env, ...env } });
  await agree(servers, { online: servers });
  const [victim, sender] = /** @type {[Server, Server]} */ (servers);
  return { servers, victim, sender };
}

/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(2)} %`;

test('a server about which a holder of the secret lies, in all forms, stays listed online', async (t) => {
  const { servers, victim } = await cluster(t);
  const { baseUrl: liar } = await startFakePeer(t);
  const forms = Object.values(lies());
  let count = 0;
  const share = await shareOnline(servers, victim, async () => {
    const next = () => forms[count++ % forms.length] ?? assert.fail();
    const told = await slander(servers, victim, { liar, ms: 12_000, next });
    assert.ok(told > forms.length, `${told} lies`);
  });
  const { refutations } = (await victim.order('call', 'shazbotStatus')).exchanges;
  t.diagnostic(`listed online for ${percent(share)} of the time; it refuted ${refutations} lies`);
  assert.ok(refutations > 0, 'the servers understood the lies');
  assert.ok(share >= MUST.slandered, percent(share));
  const isListed = async () => (await Promise.all(servers.map((server) => server.view()))).every(lists(victim));
  await until(isListed, { what: 'all servers list it online after the last lie' });
});

/** @param {Server} server */
const lists = (server) => (/** @type {{ online: string[] }} */ view) => view.online.includes(server.baseUrl);

test('a server that gets thousands of small messages a second from a holder of the secret stays listed online', async (t) => {
  const { servers, victim } = await cluster(t);
  await assertStaysOnline(t, servers, victim, await smallMessages(servers, victim));
});

test('a server that gets one captured message thousands of times a second stays listed online', async (t) => {
  const { servers, victim, sender } = await cluster(t, { SHAZBOT_AUTH: 'signed' });
  await assertStaysOnline(t, servers, victim, [await capturedMessage(sender, victim)]);
});

/**
 * @param {import('node:test').TestContext} t
 * @param {Server[]} servers
 * @param {Server} victim
 * @param {string[]} requests
 */
async function assertStaysOnline(t, servers, victim, requests) {
  let rate = 0;
  const share = await shareOnline(servers, victim, async () => {
    rate = await flood(victim, requests, { ms: 6_000, rate: 3_000 });
  });
  t.diagnostic(`${Math.round(rate)} messages a second, listed online for ${percent(share)} of the time`);
  // A busy machine sends fewer, but more than a server handles of one sender.
  assert.ok(rate > 600, `${rate} messages a second`);
  assert.equal(share, MUST.flooded);
  // The flood makes no server call others offline either.
  const online = urls(servers);
  for (const { events, baseUrl } of servers) {
    const lost = events.filter((event) => event.type === 'offline' && online.includes(event.baseUrl));
    assert.deepEqual(lost, [], baseUrl);
  }
}

test('a server that gets 300 000 bad entries a second keeps its memory, its rounds and the time of its shutdown', async (t) => {
  const INTERVAL = 2_000;
  const env = { ...fileList().env, TEST_ROUTER: 'yes', SHAZBOT_GOSSIP_INTERVAL: String(INTERVAL / 1_000) };
  const servers = await startServers(t, 2, { env });
  await agree(servers, { online: servers });
  const [victim] = /** @type {[Server, Server]} */ (servers);
  const before = await victim.order('memory');
  let isOver = false;
  const watching = (async () => {
    let longest = 0;
    while (!isOver) {
      const { at, lastOut } = await victim.order('call', 'shazbotStatus');
      longest = Math.max(longest, at - lastOut.at);
      await sleep(250);
    }
    return longest;
  })();
  const rate = await flood(victim, badEntries(), { ms: 8_000, rate: 300 });
  isOver = true;
  const longest = await watching;
  const grown = ((await victim.order('memory')).now - before.now) / 2 ** 20;
  const began = performance.now();
  await victim.order('shutDown');
  const took = performance.now() - began;
  const figures = `${Math.round(rate)} messages a second: up to ${longest} ms without an answer, ${grown.toFixed(1)} MiB, shutdown in ${Math.round(took)} ms`;
  t.diagnostic(figures);
  assert.ok(rate > 100, figures);
  assert.ok(longest < 2 * INTERVAL, figures);
  assert.ok(grown < 64, figures);
  assert.ok(took < 6_500, figures);
});

// Clocks that run at twice the speed, of which one began four hours later.
const clocks = () => ({
  behind: { SHAZBOT_TEST_CLOCK: `2@${Date.now()}` },
  ahead: { SHAZBOT_TEST_CLOCK: `2@${Date.now() - 4 * HOUR}` },
});

for (const [which, right] of /** @type {const} */ ([
  ['behind', 'ahead'],
  ['ahead', 'behind'],
])) {
  test(`a server whose clock is four hours ${which} writes no list, and joins when its clock is right`, async (t) => {
    const list = fileList();
    const clock = clocks();
    const env = { ...list.env, SHAZBOT_GOSSIP_INTERVAL: '1', ...clock[right] };
    const servers = await startServers(t, 3, { env });
    await until(() => list.servers().length === 3, { what: 'the list names all servers' });
    const wrong = await startServer(t, { env: { ...env, ...clock[which] } });
    await until(() => wrong.warnings.some(({ code }) => code === 'SHAZBOT_CLOCK'), { what: 'a warning of its clock' });
    // It may write a list 1 to 3 s after it has read one: five times that passes, at the speed of these clocks.
    for (let n = 0; n < 30; n++) {
      await sleep(250);
      const named = list.servers();
      const missing = urls(servers).filter((url) => !named.includes(url));
      assert.deepEqual(missing, [], readFileSync(list.file, 'utf8'));
    }
    const more = await startServer(t, { env });
    await agree([...servers, more], { online: [...servers, more] }, { what: 'a new server finds the others' });
    // Nothing but an environment variable sets the clock of a process.
    await wrong.kill();
    wrong.env = env;
    await wrong.restart();
    const all = [...servers, more, wrong];
    await agree(all, { online: all }, { what: 'the server whose clock is right now has joined' });
  });
}
