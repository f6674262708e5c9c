'use strict';

// What the page says about a cluster: the headline, the warnings, the changes and the short names.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { statusOf } = require('../harness/page-status.js');
const { logIn, skip, startFakeServer, untilShown, useBrowser } = require('./support/browser.js');

/** @typedef {import('..').MemberStatus} Member */
/** @typedef {import('..').MemberEvent} MemberEvent */

/** @param {number} n */
const url = (n) => `https://app-000${n}.internal:3000/`;

/** Changes of members, by their number. @param {Record<number, Partial<Member>>} changes */
function withMembers(changes, count = 5) {
  const status = statusOf(count, Date.now(), 'healthy');
  for (const [n, change] of Object.entries(changes))
    Object.assign(/** @type {Member} */ (status.members[Number(n)]), change);
  return status;
}

/** @param {number} secondsAgo @param {Partial<Member>} [more] @returns {Partial<Member>} */
const failed = (secondsAgo, more) => ({
  state: 'offline',
  reason: 'failed',
  changedAt: Date.now() - secondsAgo * 1000,
  ...more,
});

describe('the summary of the page', { skip }, () => {
  const open = useBrowser();

  test('says in a headline how the cluster is, and names the servers that need attention', async (t) => {
    let status = withMembers({});
    const page = await open(t, await startFakeServer(t, () => status));
    await logIn(page);
    await untilShown(page);
    assert.equal(await page.locator('#counts').isVisible(), false, 'it would only repeat the headline');
    const drained = /** @type {const} */ ({ state: 'offline', reason: 'drained' });
    const left = /** @type {const} */ ({ state: 'offline', reason: 'left' });
    const suspect = /** @type {const} */ ({ state: 'suspect' });
    const warnings = [{ code: 'SHAZBOT_SELF_PROBE', message: 'no answer', since: Date.now() }];
    const cases = /** @type {[typeof status, level: string, RegExp][]} */ ([
      [withMembers({}), 'good', /^All 5 servers are online$/],
      [withMembers({}, 2), 'good', /^Both servers are online$/],
      [withMembers({}, 1), 'warning', /^This server knows no other server$/],
      [{ ...withMembers({}), warnings }, 'warning', /^All 5 servers are online, with 1 warning$/],
      [withMembers({ 1: left }), 'good', /^All 4 servers are online$/],
      [withMembers({ 0: drained, 1: drained }, 2), 'bad', /^No server is online: all are drained$/],
      [withMembers({ 1: drained }), 'good', /^4 of 5 servers are online, 1 is drained: app-0001$/],
      [withMembers({ 1: suspect }), 'warning', /^1 of 5 servers does not answer: app-0001$/],
      [withMembers({ 1: suspect, 2: failed(40) }), 'bad', /^1 of 5 servers failed 4\d\ss\sago: app-0002$/],
      [
        withMembers({ 0: { tags: {} }, 1: failed(600), 2: failed(40) }),
        'bad',
        /^2 of 5 servers failed, the last 4\d\ss\sago: app-0002, app-0001$/,
      ],
      [
        withMembers({ 1: failed(41), 4: failed(40) }),
        'bad',
        /^2 of 5 servers failed 4\d\ss\sago: every server of zone eu-1b$/,
      ],
    ]);
    for (const [next, level, text] of cases) {
      status = next;
      await page.evaluate('poll()');
      assert.match(String(await page.getByRole('heading', { level: 1 }).textContent()), text);
      assert.equal(await page.locator('#headline').getAttribute('class'), `headline ${level}`, String(text));
    }
    status = withMembers({ 1: failed(40), 2: failed(40), 3: failed(40) });
    await page.evaluate('poll()');
    await page.getByText('This server may be cut off from the others').waitFor();
    const cause = { lastError: { code: 'ECONNREFUSED', message: 'os error 111', at: 0 } };
    const note = async () => {
      await page.evaluate('poll()');
      return page.locator('#note').textContent();
    };
    status = withMembers({ 1: failed(40, cause), 2: failed(40, cause) });
    assert.equal(await note(), 'Connection refused.');
    status = withMembers({ 1: failed(40, cause), 2: failed(40) });
    assert.equal(await note(), '', 'they have no common cause');
  });

  test('shows the active warnings as text until they end', async (t) => {
    const status = statusOf(5, Date.now());
    const page = await open(t, await startFakeServer(t, () => status));
    await logIn(page);
    await untilShown(page);
    const banner = page.getByRole('region', { name: 'Warnings of this server' });
    assert.equal(await banner.isVisible(), false);
    const since = Date.now() - 60_000;
    status.warnings = [{ code: 'SHAZBOT_SELF_PROBE', message: 'this server <b>does not</b> find itself', since }];
    status.moreWarnings = 3;
    await banner.waitFor();
    const text = (await banner.textContent()) ?? '';
    assert.match(text, /SHAZBOT_SELF_PROBE: this server <b>does not<\/b> find itself since .*\d.*and 3 more/);
    status.warnings = [];
    delete status.moreWarnings;
    await banner.waitFor({ state: 'hidden' });
  });

  test('lists what changed and why, with one line for the same change of several servers', async (t) => {
    const status = statusOf(5, Date.now(), 'healthy');
    const at = Date.now() - 300_000;
    const event = (/** @type {number} */ n, /** @type {number} */ seconds, /** @type {Partial<MemberEvent>} */ more) =>
      /** @type {MemberEvent} */ ({
        baseUrl: url(n),
        monitor: false,
        lastUpdate: at,
        at: at + seconds * 1000,
        knownAfter: 5,
        ...more,
      });
    const error = { code: 'ECONNREFUSED', message: 'os error 111' };
    const failure = /** @type {const} */ ({ type: 'offline', reason: 'failed', error });
    status.recent = [
      event(1, 0, { type: 'suspect', error }),
      event(1, 2, failure),
      event(2, 3, failure),
      event(1, 60, { type: 'online' }),
      event(3, 100, { type: 'offline', reason: 'failed', by: url(4) }),
      event(4, 120, { type: 'suspect', error }),
      event(4, 150, { type: 'tags', tags: { version: '2.0', note: '<img src=x>' } }),
      event(4, 160, { type: 'ready', ready: false }),
    ];
    const page = await open(t, await startFakeServer(t, () => status));
    await logIn(page);
    await untilShown(page);
    const changes = await page.locator('#changes li').allTextContents();
    const shared = /https:\/\/|\.internal:3000\//g;
    assert.deepEqual(
      changes.map((it) => it.replace(/^\d\d:\d\d:\d\d\d\smin\sago/, '').replace(shared, '')),
      [
        '≡ asked for no more workapp-0004',
        '≡ changed tagsapp-0004version=2.0 note=<img src=x>',
        '◐ did not answerapp-0004connection refused',
        '✕ failedapp-0003reported by app-0004',
        '● back onlineapp-0001after 58\u00A0s',
        '✕ 2 servers failedapp-0001, app-0002connection refused',
      ],
    );
    await page.evaluate("document.querySelector('#changes li').dataset.kept = 'yes'");
    status.recent.push(event(4, 170, { type: 'offline', reason: 'left' }));
    await page.locator('#changes li', { hasText: 'shut down' }).waitFor();
    assert.equal(await page.locator('#changes li').nth(1).getAttribute('data-kept'), 'yes', 'lines that stay are kept');
    assert.equal(await page.locator('#announcement').textContent(), 'app-0004 shut down', 'for screen readers');
  });

  test('shortens base URLs by what most of them share, and keeps the full URL for the clipboard', async (t) => {
    let urls = ['http://api-1.prod.local:3000/', 'http://api-2.prod.local:3000/', 'http://api-2.test.local:3000/'];
    const page = await open(
      t,
      await startFakeServer(t, () => {
        const status = statusOf(urls.length, Date.now(), 'healthy');
        for (const [i, member] of status.members.entries()) member.baseUrl = String(urls[i]);
        return { ...status, baseUrl: urls[0] };
      }),
    );
    await logIn(page);
    await untilShown(page);
    const names = /** @type {[urls: string[], names: string[]][]} */ ([
      [urls, ['api-1', 'api-2', 'http://api-2.test.local:3000/']],
      [
        ['http://10.0.0.1:3000/', 'http://10.0.0.2:3000/'],
        ['10.0.0.1', '10.0.0.2'],
      ],
      [
        ['http://[fd00::1]:3000/', 'http://[fd00::2]:3000/'],
        ['[fd00::1]', '[fd00::2]'],
      ],
      [
        ['http://127.0.0.1:3001/', 'http://127.0.0.1:3002/'],
        [':3001', ':3002'],
      ],
      [
        ['https://a.com/one/', 'https://a.com/two/'],
        ['one', 'two'],
      ],
      [
        ['http://a.eu.x.org/', 'http://a.us.x.org/'],
        ['a.eu', 'a.us'],
      ],
      [
        ['http://a.eu.x.org/', 'http://b.us.y.net/'],
        ['a.eu.x.org', 'b.us.y.net'],
      ],
      [['https://alone.com/'], ['https://alone.com/']],
      [
        ['http://a/', 'javascript:b'],
        ['http://a/', 'javascript:b'],
      ],
    ]);
    for (const [next, expected] of names) {
      urls = next;
      await page.evaluate('poll()');
      assert.deepEqual(await page.evaluate(`${JSON.stringify(urls)}.map(nameOf)`), expected);
      const copied = await page.evaluate(
        `getSelection().selectAllChildren(document.querySelector('#rows .name')), getSelection().toString()`,
      );
      assert.equal(copied, urls[0]);
      assert.equal(await page.locator('#rows .name').first().getAttribute('title'), urls[0]);
    }
  });
});
