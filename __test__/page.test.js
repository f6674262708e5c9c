'use strict';

// The status page in a real browser.

const assert = require('node:assert/strict');
const { existsSync, readFileSync } = require('node:fs');
const http = require('node:http');
const { after, before, describe, test } = require('node:test');
const { chromium } = require('playwright-core');

const { ownersOf } = require('../lib/cli/ownership.js');
const { page: served } = require('../lib/page.js');
const { CONTROL_SECRET, untilGossiped, agree, fileList, startServers } = require('../harness/cluster.js');
const { during } = require('./support/during.js');
const { close, listen } = require('../harness/http.js');
const { statusOf } = require('../harness/page-status.js');
const { freePorts } = require('../harness/ports.js');
const { until } = require('../harness/until.js');

const executablePath = '/usr/bin/chromium';
const skip = !existsSync(executablePath) && process.env.SHAZBOT_TEST_ALL !== '1' && 'chromium is not installed';
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('node:test').TestContext} TestContext */

describe('the page', { skip }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  before(async () => {
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  });
  after(() => browser.close());

  /**
   * Opens the page of a server. The test fails at its end if the browser reported an error, blocked something by the
   * policy, or sent a request to another server.
   *
   * @param {TestContext} t
   * @param {string} url
   * @param {import('playwright-core').BrowserContextOptions} [options]
   */
  async function open(t, url, options) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    /** @type {string[]} */
    const wrong = [];
    // Some tests provoke these: a wrong secret, a failed start, a stopped server.
    page.on('console', (message) => {
      if (message.type() === 'error' && !/401|503|ERR_CONNECTION_REFUSED/.test(message.text()))
        wrong.push(message.text());
    });
    page.on('pageerror', (error) => wrong.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith('data:')) wrong.push(request.url());
    });
    t.after(async () => {
      await context.close();
      assert.deepEqual(wrong, []);
    });
    await page.goto(`${url}clustershazbot/`);
    return page;
  }

  /**
   * @param {Page} page
   * @param {string} [secret]
   */
  async function logIn(page, secret = CONTROL_SECRET) {
    await page.getByLabel('Control secret').fill(secret);
    await page.keyboard.press('Enter');
  }

  /**
   * Starts a server that serves the page and this status, and accepts every secret. It answers 503 if `status` throws.
   *
   * @param {TestContext} t
   * @param {() => unknown} status
   * @returns {Promise<string>} its URL
   */
  async function startFakeServer(t, status) {
    const server = http.createServer((req, res) => {
      const { body, headers } = served();
      if (!req.url?.endsWith('/status')) return res.writeHead(200, headers).end(body);
      try {
        res.setHeader('Content-Type', 'application/json').end(JSON.stringify(status()));
      } catch {
        res.writeHead(503).end('{}');
      }
    });
    const [port] = /** @type {[number]} */ (await freePorts(1));
    await listen(server, port);
    t.after(() => close(server));
    return `http://127.0.0.1:${port}/`;
  }

  /**
   * Returns what axe finds wrong.
   *
   * @param {Page} page
   */
  async function violations(page) {
    // `evaluate` can run axe; the content security policy would block it as a script of the page.
    const found = await page.evaluate(`${axe}; axe.run()`);
    return /** @type {any} */ (found).violations.map((/** @type {any} */ it) => `${it.id}: ${it.nodes[0]?.html}`);
  }

  test('shows the warnings that hold above the list, as text, until they end', async (t) => {
    const status = statusOf(5, Date.now());
    const url = await startFakeServer(t, () => status);
    const page = await open(t, url);
    await logIn(page);
    await page.getByRole('heading', { name: 'Servers' }).waitFor();
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

  test('shows a killed server without a reload, and drains its own server and puts it back online', async (t) => {
    const servers = await startServers(t, 3, { env: { ...fileList().env, TEST_ROUTER: 'yes' } });
    const [own, other] = /** @type {[typeof servers[0], typeof servers[0]]} */ (servers);
    await agree(servers, { online: servers });
    await untilGossiped(servers);
    const page = await open(t, own.baseUrl);
    await logIn(page, 'wrong');
    await page.getByText('not the control secret').waitFor();
    await logIn(page);
    const row = page.locator('tr', { hasText: other.baseUrl });
    await row.getByText('online').waitFor();
    assert.equal(await row.getByRole('link').getAttribute('href'), `${other.baseUrl}clustershazbot`);

    await other.kill();
    await row.getByText('failed').waitFor({ timeout: 15_000 });
    // This server or another has found it.
    await row.getByText(/connection (refused|reset)|reported by/).waitFor();
    // Column "For".
    assert.match((await row.locator('td').nth(3).textContent()) ?? '', /^[\d.]+ m?s$/);
    await page.locator('#changes li', { hasText: other.baseUrl }).getByText('failed').waitFor();

    await page.getByRole('button', { name: 'Drain …' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    assert.equal((await own.view()).offline.includes(own.baseUrl), false, 'nothing happens before the confirmation');
    await page.getByRole('button', { name: 'Drain …' }).click();
    await page.getByRole('button', { name: 'Drain', exact: true }).click();
    await page.locator('#own-state').getByText('drained').waitFor();
    await until(async () => (await own.view()).offline.includes(own.baseUrl), { what: 'the server is drained' });
    await page.getByRole('button', { name: 'Put back online …' }).click();
    await page.getByRole('button', { name: 'Put back online', exact: true }).click();
    await page.locator('#own-state').getByText('online').waitFor();

    await own.kill();
    await page.getByText(/No status for .*: it does not answer/).waitFor({ timeout: 15_000 });
  });

  test('stops polling when the first answer is an error', async (t) => {
    let requests = 0;
    const url = await startFakeServer(t, () => {
      requests += 1;
      throw new Error('no status');
    });
    const page = await open(t, url);
    await logIn(page);
    await page.getByText(/cannot show the cluster/).waitFor();
    await during(5_000, () => assert.equal(requests, 1));
  });

  test('keeps the secret only in memory, and forgets all data when locked', async (t) => {
    const url = await startFakeServer(t, () => statusOf(3, Date.now()));
    const page = await open(t, url);
    await logIn(page);
    await page.getByRole('heading', { name: /Servers:/ }).waitFor();
    const kept = await page.evaluate(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])',
    );
    assert.ok(!String(kept).includes(CONTROL_SECRET));
    assert.match(await page.title(), /online/);
    await page.getByRole('searchbox').fill('app-2');
    await page.getByLabel('Key', { exact: true }).fill('user:42');
    await page.getByText(/^Next: /).waitFor();
    await page.getByRole('button', { name: 'Drain …' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Forget the secret' }).click();
    assert.equal(await page.title(), 'Cluster');
    const left = await page.evaluate(
      `document.body.innerText + app.textContent + dialog.textContent + filter.value + byId('owner-key').value`,
    );
    assert.doesNotMatch(String(left), /\d|https?:|Drain/, 'nothing of the cluster is left in the document');
    assert.equal(await page.getByLabel('Control secret').inputValue(), '');
    await page.reload();
    assert.ok(await page.getByLabel('Control secret').isVisible());
  });

  test('filters and sorts 1 000 servers', async (t) => {
    const url = await startFakeServer(t, () => statusOf(1_000, Date.now()));
    const page = await open(t, url);
    await logIn(page);
    const shown = statusOf(1_000, 0).members.filter(({ reason }) => reason !== 'left').length;
    await page.getByText(`The first 200 of ${shown}.`).waitFor();
    await page.getByRole('searchbox').fill('app-0500');
    await until(async () => (await page.locator('#rows tr').count()) === 1, { what: 'one row is shown' });
    await page.getByRole('searchbox').fill('');
    await page.getByRole('button', { name: /suspect/ }).click();
    const suspects = statusOf(1_000, 0).members.filter(({ state }) => state === 'suspect').length;
    assert.equal(await page.locator('#rows tr').count(), suspects);
    await page.getByRole('button', { name: /suspect/ }).click();
    await page.getByRole('button', { name: 'Show all' }).click();
    assert.equal(await page.locator('#rows tr').count(), shown);
    await page.getByRole('button', { name: 'Failures' }).click();
    await page.getByRole('button', { name: 'Failures' }).click();
    assert.match(String(await page.locator('#rows tr').first().textContent()), /failed/);
    const took = await page.evaluate(
      '(() => { const t = performance.now(); for (let i = 0; i < 5; i++) render(session.status); return (performance.now() - t) / 5; })()',
    );
    t.diagnostic(`an update of 1 000 rows takes ${Number(took).toFixed(1)} ms`);
  });

  test('groups 1 000 servers of 5 versions in 3 zones by a tag, with a column for each tag', async (t) => {
    const status = statusOf(1_000, Date.now());
    const of = (/** @type {string} */ key, /** @type {string} */ value) =>
      status.members.filter(({ tags, reason }) => tags?.[key] === value && reason !== 'left');
    const online = (/** @type {ReturnType<typeof of>} */ members) =>
      members.filter(({ state }) => state !== 'offline').length;
    const page = await open(t, await startFakeServer(t, () => status));
    await logIn(page);
    const groups = page.locator('#groups button');
    await groups.first().waitFor();
    assert.equal(await groups.count(), 5, 'a rollout shows without a choice');
    const oldest = of('version', '1.3.9');
    await page.getByRole('button', { name: `1.3.9 ${online(oldest)} of ${oldest.length} online` }).click();
    const rows = page.locator('#rows tr');
    await until(async () => (await rows.count()) === Math.min(200, oldest.length), { what: 'one version is shown' });
    const heads = await page.locator('#heads th').allTextContents();
    assert.deepEqual(heads.slice(0, 5), ['State', 'Server', 'version', 'role', 'zone']);

    await page.getByLabel('Group by').selectOption('zone');
    assert.equal(await groups.count(), 3);
    const zone = of('zone', 'eu-1b');
    await page.getByRole('button', { name: `eu-1b ${online(zone)} of ${zone.length} online` }).click();
    await page.getByText(`The first 200 of ${zone.length}.`).waitFor();
    await page.getByRole('searchbox').fill('version=1.3.9');
    // The filter shows those, too, that left.
    const both = status.members.filter(({ tags }) => tags?.zone === 'eu-1b' && tags.version === '1.3.9');
    await until(async () => (await rows.count()) === both.length, { what: 'the filter finds tags' });
    assert.match(
      String(await rows.first().textContent()),
      /eu-1b.*1\.3\.9/,
      'the tag that groups has the first column',
    );
    await page.getByLabel('Group by').selectOption('');
    assert.equal(await groups.count(), 0);
    await until(async () => (await rows.count()) > both.length, { what: 'all zones are shown' });

    // The rollout goes on while the page is open.
    for (const member of status.members.filter(({ tags }) => tags?.version === '1.3.9'))
      member.tags = { ...member.tags, version: '1.5.0' };
    status.at += 1;
    await page.getByText('No server matches.').waitFor();
    const took = await page.evaluate(
      "(() => { chosenGroup = 'version'; const t = performance.now(); for (let i = 0; i < 5; i++) render(session.status); return (performance.now() - t) / 5; })()",
    );
    t.diagnostic(`an update takes ${Number(took).toFixed(1)} ms`);
  });

  test('shows that a server has other tags among the changes', async (t) => {
    const status = statusOf(3, Date.now());
    const { baseUrl, monitor, lastUpdate } = /** @type {import('..').MemberStatus} */ (status.members[1]);
    const tags = { version: '2.0', note: '<img src=x>' };
    status.recent.push({ type: 'tags', baseUrl, monitor, lastUpdate, tags, at: status.at, knownAfter: 5 });
    const page = await open(t, await startFakeServer(t, () => status));
    await logIn(page);
    const item = page.locator('#changes li', { hasText: 'version=2.0 note=<img src=x>' });
    await item.waitFor();
    assert.match(String(await item.textContent()), /tags/);
  });

  test('folds the servers that left in order, so that they do not look like an outage', async (t) => {
    const { members } = statusOf(100, 0);
    const left = members.filter(({ reason }) => reason === 'left').map(({ baseUrl }) => baseUrl);
    const online = members.filter(({ state }) => state !== 'offline').length;
    const page = await open(t, await startFakeServer(t, () => statusOf(100, Date.now())));
    await logIn(page);
    await page.getByText(`Servers: ${online} of ${100 - left.length} online`).waitFor();
    assert.match(await page.title(), new RegExp(`^${online}/${100 - left.length} online`));
    assert.match(String(await page.locator('#shown').textContent()), new RegExp(`^${left.length} left in order`));
    assert.equal(await page.locator('#rows tr').count(), 100 - left.length);
    await page.getByRole('button', { name: /left/ }).click();
    assert.equal(await page.locator('#rows tr').count(), left.length);
    await page.getByRole('button', { name: /left/ }).click();
    await page.getByRole('searchbox').fill('app-');
    const last = page.locator('#rows tr').nth(100 - left.length);
    assert.match(String(await last.textContent()), /left/, 'they are below all others');
  });

  test('says which server owns the key that is typed in, and follows the changes', async (t) => {
    const status = statusOf(30, Date.now());
    const page = await open(t, await startFakeServer(t, () => status));
    await logIn(page);
    const owner = page.getByRole('region', { name: 'Who owns a key?' }).getByRole('status');
    const mayOwn = () => status.members.filter(({ state, ready }) => state !== 'offline' && ready);
    const order = (/** @type {string} */ key) =>
      ownersOf(
        key,
        mayOwn().map(({ baseUrl }) => baseUrl),
      );
    await page.getByLabel('Key', { exact: true }).fill('Schlüssel 😀');
    const [first, second, third] = order('Schlüssel 😀');
    await owner.getByText(`Next: ${second}`).waitFor();
    await owner.getByText('Not settled').waitFor();
    assert.ok((await owner.textContent())?.startsWith(String(first)));
    assert.ok(
      status.members.some(({ state }) => state === 'suspect'),
      'that is why it is not settled',
    );

    for (const member of status.members) {
      if (member.state === 'suspect') member.state = 'online';
      if (member.baseUrl === first) member.ready = false;
    }
    status.at += 1;
    status.recent = [];
    await owner.getByText(`Next: ${third}`).waitFor();
    assert.equal(await owner.getByText(/[Ss]ettled/).count(), 0);
    assert.ok((await owner.textContent())?.startsWith(String(second)));

    for (const member of status.members) member.ready = false;
    status.at += 1;
    await owner.getByText('Nobody: no server is online and ready.').waitFor();
    await page.getByLabel('Key', { exact: true }).fill('');
    assert.equal(await owner.textContent(), '');
  });

  test('inserts data of other servers as text, and links only to http URLs', async (t) => {
    const status = statusOf(3, Date.now());
    const bad = '<img src=x onerror=alert(1)>';
    Object.assign(/** @type {object} */ (status.members[1]), {
      baseUrl: `javascript:alert(1)//${bad}`,
      state: 'offline',
      by: bad,
    });
    status.masterLists[0] = { name: bad, servers: 1, failures: 1, failed: 1, error: bad };
    const page = await open(t, await startFakeServer(t, () => status));
    await logIn(page);
    const row = page.locator('tr', { hasText: 'javascript:alert' });
    await row.waitFor();
    assert.equal(await row.getByRole('link').count(), 0);
    assert.equal(await page.locator('img').count(), 0);
  });

  test('can be used with the keyboard alone', async (t) => {
    const page = await open(t, await startFakeServer(t, () => statusOf(30, Date.now())));
    await page.keyboard.type(CONTROL_SECRET);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /Servers:/ }).waitFor();
    const focused = () => page.evaluate('document.activeElement.textContent');
    assert.equal(await focused(), 'Cluster', 'the focus moves from the hidden form to the title');
    for (let n = 0; n < 10 && !String(await focused()).startsWith('Drain'); n++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.ok(await page.getByRole('dialog').isVisible());
    assert.equal(await focused(), 'Cancel', 'the harmless button has the focus');
    await page.keyboard.press('Escape');
    assert.ok(!(await page.getByRole('dialog').isVisible()));
  });

  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    for (const [name, viewport] of Object.entries({
      desktop: { width: 1280, height: 900 },
      phone: { width: 390, height: 800 },
    })) {
      test(`passes the accessibility checks of axe: ${colorScheme}, ${name}`, async (t) => {
        const page = await open(t, await startFakeServer(t, () => statusOf(30, Date.now())), {
          colorScheme,
          viewport,
          reducedMotion: 'reduce',
        });
        assert.deepEqual(await violations(page), []);
        await logIn(page);
        await page.getByRole('heading', { name: /Servers:/ }).waitFor();
        await page.getByLabel('Key', { exact: true }).fill('nightly');
        await page.getByText(/^Next: /).waitFor();
        assert.deepEqual(await violations(page), []);
        assert.ok(
          await page.evaluate('document.documentElement.scrollWidth <= innerWidth'),
          'nothing overflows the width',
        );
        await page.getByRole('button', { name: 'Drain …' }).click();
        assert.deepEqual(await violations(page), []);
      });
    }
  }
});
