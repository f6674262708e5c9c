'use strict';

// The status page in a real browser: its log-in, draining, the keyboard, accessibility, and data that a peer made up.

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const { describe, test } = require('node:test');

const { CONTROL_SECRET, untilGossiped, agree, fileList, startServers } = require('../harness/cluster.js');
const { statusOf } = require('../harness/page-status.js');
const { until } = require('../harness/until.js');
const { logIn, skip, startFakeServer, untilShown, useBrowser } = require('./support/browser.js');
const { during } = require('./support/during.js');

const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

describe('the page', { skip }, () => {
  const open = useBrowser();

  /**
   * Returns what axe finds wrong.
   *
   * @param {import('playwright-core').Page} page
   */
  async function violations(page) {
    // `evaluate` can run axe; the content security policy would block it as a script of the page.
    const found = await page.evaluate(`${axe}; axe.run()`);
    return /** @type {any} */ (found).violations.map((/** @type {any} */ it) => `${it.id}: ${it.nodes[0]?.html}`);
  }

  test('shows a killed server without a reload, and drains its own server and puts it back online', async (t) => {
    const servers = await startServers(t, 3, { env: { ...fileList().env, TEST_ROUTER: 'yes' } });
    const [own, other] = /** @type {[typeof servers[0], typeof servers[0]]} */ (servers);
    await agree(servers, { online: servers });
    await untilGossiped(servers);
    const page = await open(t, own.baseUrl);
    await logIn(page, 'wrong');
    await page.getByText('not the control secret').waitFor();
    await logIn(page);
    await page.getByRole('heading', { name: 'All 3 servers are online' }).waitFor();
    const row = page.locator('tr', { hasText: other.baseUrl });
    await row.getByText('online').waitFor();

    await other.kill();
    const port = new URL(other.baseUrl).port;
    await page.getByRole('heading', { name: new RegExp(`^1 of 3 servers failed \\d+ s ago: :${port}$`) }).waitFor();
    await row.getByText('failed').waitFor();
    // This server or another has found it.
    await row.getByText(/connection (refused|reset)|reported by/).waitFor();
    assert.match((await row.locator('td').last().textContent()) ?? '', /^\d+\ss$/, 'since when');
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
    await page.getByRole('button', { name: 'Drain …' }).waitFor();

    await own.kill();
    await page
      .getByRole('heading', { name: /^No status from :\d+ for .*: it does not answer$/ })
      .waitFor({ timeout: 15_000 });
    await page.getByText(/^\d+\ss\sago: 1 of 3 servers failed/).waitFor();
  });

  test('tells a browser without JavaScript what it needs', async (t) => {
    const page = await open(t, await startFakeServer(t, () => statusOf(3, Date.now())), { javaScriptEnabled: false });
    assert.ok(await page.locator('noscript p').isVisible());
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

  test('keeps the secret only in memory, and forgets all data on logging out', async (t) => {
    const url = await startFakeServer(t, () => statusOf(3, Date.now(), 'incident'));
    const page = await open(t, url);
    await logIn(page);
    await untilShown(page);
    const kept = await page.evaluate(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])',
    );
    assert.ok(!String(kept).includes(CONTROL_SECRET));
    assert.match(await page.title(), /online/);
    await page.getByRole('searchbox').fill('app-');
    await page.getByLabel('Key', { exact: true }).fill('user:42');
    await page.getByText(/^Next: /).waitFor();
    await page.getByRole('button', { name: 'Drain …' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('#rows button').first().click();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'Log out' }).click();
    assert.equal(await page.title(), 'Cluster');
    const left = await page.evaluate(
      `document.body.innerHTML.replace(/<script>.*<\\/script>/gs, '') + filter.value + byId('owner-key').value`,
    );
    assert.doesNotMatch(String(left), /app-|eu-1|https?:|Drain|SHAZBOT|user:42/, 'nothing of the cluster is left');
    assert.equal(await page.getByLabel('Control secret').inputValue(), '');
    await page.reload();
    assert.ok(await page.getByLabel('Control secret').isVisible());
  });

  test('inserts data of other servers as text, and links only to http URLs', async (t) => {
    const status = statusOf(3, Date.now());
    const bad = '<img src=x onerror=alert(1)>';
    Object.assign(/** @type {object} */ (status.members[1]), {
      baseUrl: `javascript:alert(1)//${bad}`,
      state: 'offline',
      by: bad,
      tags: { version: bad },
    });
    status.masterLists[0] = { name: bad, servers: 1, failures: 1, failed: 1, error: bad };
    const page = await open(t, await startFakeServer(t, () => status));
    await logIn(page);
    await page.locator('tr', { hasText: 'javascript:alert' }).getByRole('button').click();
    const details = page.getByRole('dialog');
    await details.getByText(bad).first().waitFor();
    assert.equal(await details.getByRole('link').count(), 0);
    assert.equal(await page.locator('img').count(), 0);
    await page.keyboard.press('Escape');
    await page.locator('tr', { hasText: 'app-0002' }).getByRole('button').click();
    const link = details.getByRole('link', { name: 'Open the page of this server' });
    assert.equal(await link.getAttribute('href'), 'https://app-0002.internal:3000/clustershazbot');
  });

  test('can be used with the keyboard alone', async (t) => {
    const page = await open(t, await startFakeServer(t, () => statusOf(30, Date.now())));
    await page.keyboard.type(CONTROL_SECRET);
    await page.keyboard.press('Enter');
    await untilShown(page);
    const focused = () => page.evaluate('document.activeElement.textContent');
    assert.match(String(await focused()), /servers failed/, 'the focus moves from the hidden form to the headline');
    const tabTo = async (/** @type {RegExp} */ text, key = 'Tab') => {
      for (let n = 0; n < 40 && !text.test(String(await focused())); n++) await page.keyboard.press(key);
      await page.keyboard.press('Enter');
    };
    await tabTo(/^Drain/, 'Shift+Tab');
    assert.ok(await page.getByRole('dialog').isVisible());
    assert.equal(await focused(), 'Cancel', 'the harmless button has the focus');
    await page.keyboard.press('Escape');
    assert.ok(!(await page.getByRole('dialog').isVisible()));
    await tabTo(/^https:..app-0022.internal:3000.$/);
    assert.ok(await page.getByRole('dialog', { name: /app-0022/ }).isVisible());
    await page.keyboard.press('Escape');
    assert.match(String(await focused()), /app-0022/, 'the focus is back where it was');
  });

  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    for (const [name, viewport] of Object.entries({
      desktop: { width: 1280, height: 900 },
      tablet: { width: 768, height: 900 },
      phone: { width: 390, height: 800 },
    })) {
      test(`passes the accessibility checks of axe: ${colorScheme}, ${name}`, async (t) => {
        const page = await open(t, await startFakeServer(t, () => statusOf(30, Date.now(), 'incident')), {
          colorScheme,
          viewport,
          reducedMotion: 'reduce',
        });
        assert.deepEqual(await violations(page), []);
        await logIn(page);
        await untilShown(page);
        await page.getByLabel('Key', { exact: true }).fill('nightly');
        await page.getByText(/^Next: /).waitFor();
        assert.deepEqual(await violations(page), []);
        assert.ok(
          await page.evaluate('document.documentElement.scrollWidth <= innerWidth'),
          'nothing overflows the width',
        );
        await page.locator('#rows button').first().click();
        assert.deepEqual(await violations(page), []);
        await page.getByRole('button', { name: 'Close' }).click();
        await page.getByRole('button', { name: 'Drain …' }).click();
        assert.deepEqual(await violations(page), []);
      });
    }
  }
});
