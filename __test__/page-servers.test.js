'use strict';

// The list of servers on the page: filters, groups, the sort order, updates, and who owns a key.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { statusOf } = require('../harness/page-status.js');
const { until } = require('../harness/until.js');
const { ownersOf } = require('../lib/cli/ownership.js');
const { logIn, skip, startFakeServer, untilShown, useBrowser } = require('./support/browser.js');

/** @param {import('playwright-core').Page} page how long an update takes, in ms */
async function updateTime(page) {
  const took = await page.evaluate(
    '(() => { const t = performance.now(); for (let i = 0; i < 5; i++) render(session.status); return (performance.now() - t) / 5; })()',
  );
  return Number(took).toFixed(1);
}

describe('the servers on the page', { skip }, () => {
  const open = useBrowser();

  test('filters and sorts 1 000 servers', async (t) => {
    const page = await open(t, await startFakeServer(t, () => statusOf(1_000, Date.now())));
    await logIn(page);
    const shown = statusOf(1_000, 0).members.filter(({ reason }) => reason !== 'left').length;
    await page.getByText(`The first 200 of ${shown}.`).waitFor();
    const rows = page.locator('#rows tr');
    assert.match(String(await rows.first().textContent()), /failed/, 'the failed servers are at the top');
    await page.getByRole('searchbox').fill('app-0500');
    await until(async () => (await rows.count()) === 1, { what: 'one row is shown' });
    await page.getByRole('searchbox').fill('');
    await page.getByRole('button', { name: /suspect/ }).click();
    assert.equal(await rows.count(), statusOf(1_000, 0).members.filter(({ state }) => state === 'suspect').length);
    await page.getByRole('button', { name: /suspect/ }).click();
    await page.getByRole('button', { name: 'Show all' }).click();
    assert.equal(await rows.count(), shown);
    const first = () => rows.first().locator('td').nth(1).textContent();
    await page.getByRole('button', { name: /^Server/ }).click();
    assert.match(String(await first()), /app-0000/);
    await page.getByRole('button', { name: /^Server/ }).click();
    assert.match(String(await first()), /app-0999/);
    t.diagnostic(`an update of 1 000 rows takes ${await updateTime(page)} ms`);
  });

  test('sorts on a phone, where the columns have no heads', async (t) => {
    const viewport = { width: 390, height: 800 };
    const page = await open(t, await startFakeServer(t, () => statusOf(30, Date.now(), 'healthy')), { viewport });
    await logIn(page);
    await page.getByLabel('Sort by').selectOption('Server');
    const first = () => page.locator('#rows tr').first().textContent();
    assert.match(String(await first()), /app-0000/);
    await page.getByRole('button', { name: 'Reverse' }).click();
    assert.match(String(await first()), /app-0029/);
  });

  test('keeps focus, selection and scroll when the order of the rows changes', async (t) => {
    const status = statusOf(100, Date.now(), 'healthy');
    const page = await open(t, await startFakeServer(t, () => status));
    await logIn(page);
    await page.locator('tr', { hasText: 'app-0060' }).getByRole('button').focus();
    await page.evaluate(
      "getSelection().selectAllChildren(rows.get('https://app-0055.internal:3000/').element.querySelector('.server'))",
    );
    const state = () =>
      page.evaluate('[getSelection().toString(), document.activeElement.textContent, scrollY].map(String)');
    const before = /** @type {string[]} */ (await state());
    assert.ok(Number(before[2]) > 0, 'the page is scrolled');
    for (const n of [3, 70]) Object.assign(/** @type {object} */ (status.members[n]), { state: 'suspect' });
    await page.evaluate('poll()');
    await page.getByRole('heading', { name: '2 of 100 servers do not answer' }).waitFor();
    assert.match(String(await page.locator('#rows tr').nth(1).textContent()), /app-0070/);
    const after = /** @type {string[]} */ (await state());
    assert.deepEqual(after.slice(0, 2), before.slice(0, 2));
    // The browser keeps what is in view in its place, so it scrolls by the rows that came above.
    assert.ok(Math.abs(Number(after[2]) - Number(before[2])) < 150, `${before[2]} and ${after[2]}`);

    Object.assign(/** @type {object} */ (status.members[60]), { state: 'suspect' });
    await page.evaluate('poll()');
    assert.match(String(await page.locator('#rows tr').nth(1).textContent()), /app-0060/);
    assert.equal(/** @type {string[]} */ (await state())[1], before[1], 'also on a row that moves');
    for (const member of status.members) member.state = 'online';
    await page.evaluate('poll()');
    assert.match(String(await page.locator('#rows tr').first().textContent()), /app-0000/);
    assert.deepEqual(
      /** @type {string[]} */ (await state()).slice(0, 2),
      before.slice(0, 2),
      'also while rows go down',
    );
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
    assert.deepEqual(heads, ['State', 'Server', 'Why', 'Since', 'role', 'version', 'zone']);

    await page.getByLabel('Group by').selectOption('zone');
    assert.equal(await groups.count(), 3);
    const zone = of('zone', 'eu-1b');
    await page.getByRole('button', { name: `eu-1b ${online(zone)} of ${zone.length} online` }).click();
    await page.getByText(`The first 200 of ${zone.length}.`).waitFor();
    await page.getByRole('searchbox').fill('version=1.3.9');
    // The filter shows those, too, that left.
    const both = status.members.filter(({ tags }) => tags?.zone === 'eu-1b' && tags.version === '1.3.9');
    await until(async () => (await rows.count()) === both.length, { what: 'the filter finds tags' });
    assert.match(String(await rows.first().textContent()), /1\.3\.9eu-1b/);
    await page.getByLabel('Group by').selectOption('');
    assert.equal(await groups.count(), 0);
    await until(async () => (await rows.count()) > both.length, { what: 'all zones are shown' });

    // The rollout goes on while the page is open.
    for (const member of status.members.filter(({ tags }) => tags?.version === '1.3.9'))
      member.tags = { ...member.tags, version: '1.5.0' };
    await page.getByText('No server matches.').waitFor();
    await page.evaluate("(chosenGroup = 'version')");
    t.diagnostic(`an update takes ${await updateTime(page)} ms`);
  });

  test('groups by the tag that all failed servers share', async (t) => {
    const page = await open(t, await startFakeServer(t, () => statusOf(30, Date.now(), 'incident')));
    await logIn(page);
    await page.getByRole('button', { name: 'eu-1b 0 of 10 online' }).waitFor();
    await page.getByRole('button', { name: 'eu-1b 0 of 10 online' }).click();
    assert.equal(await page.locator('#rows tr').count(), 10);
  });

  test('folds the servers that were shut down, so that they do not look like an outage', async (t) => {
    const { members } = statusOf(100, 0);
    const left = members.filter(({ reason }) => reason === 'left').map(({ baseUrl }) => baseUrl);
    const online = members.filter(({ state }) => state !== 'offline').length;
    const page = await open(t, await startFakeServer(t, () => statusOf(100, Date.now())));
    await logIn(page);
    await untilShown(page);
    assert.match(await page.title(), new RegExp(`^${online}/${100 - left.length} online`));
    assert.match(String(await page.locator('#shown').textContent()), new RegExp(`^${left.length} servers that left`));
    assert.equal(await page.locator('#rows tr').count(), 100 - left.length);
    await page.getByRole('button', { name: /left/ }).click();
    assert.equal(await page.locator('#rows tr').count(), left.length);
    await page.getByRole('button', { name: /left/ }).click();
    await page.getByRole('searchbox').fill('app-');
    const last = page.locator('#rows tr').nth(100 - left.length);
    assert.match(String(await last.textContent()), /left/, 'they are below all others');
  });

  test('shows the versions of the package only if they differ, and all that is known of a server', async (t) => {
    const status = statusOf(3, Date.now(), 'healthy');
    const page = await open(t, await startFakeServer(t, () => status));
    await logIn(page);
    await untilShown(page);
    const heads = page.locator('#heads th:visible');
    assert.deepEqual(await heads.allTextContents(), ['State', 'Server', 'Since', 'role', 'version', 'zone']);
    const lastError = { code: 'ECONNREFUSED', message: 'os error 111', at: Date.now() };
    Object.assign(/** @type {object} */ (status.members[1]), { version: '2.1.0', lastError, failures: 4 });
    await page.evaluate('poll()');
    assert.deepEqual(await heads.allTextContents(), [
      'State',
      'Server',
      'Why',
      'Since',
      'role',
      'version',
      'zone',
      'Package',
    ]);
    const row = page.locator('tr', { hasText: 'app-0001' });
    await row.getByText('unreachable from this server: connection refused').waitFor();
    await row.getByRole('button').click();
    const details = page.getByRole('dialog', { name: /app-0001/ });
    await details.getByText('4 since its last answer').waitFor();
    Object.assign(/** @type {object} */ (status.members[1]), { failures: 5 });
    await details.getByText('5 since its last answer').waitFor();
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
    status.recent = [];
    await owner.getByText(`Next: ${third}`).waitFor();
    assert.equal(await owner.getByText(/[Ss]ettled/).count(), 0);
    assert.ok((await owner.textContent())?.startsWith(String(second)));
    assert.match(String(await page.locator('tr', { hasText: first }).textContent()), /not ready/);

    for (const member of status.members) member.ready = false;
    await owner.getByText('Nobody: no server is online and ready.').waitFor();
    await page.getByLabel('Key', { exact: true }).fill('');
    assert.equal(await owner.textContent(), '');
  });
});
