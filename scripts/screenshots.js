'use strict';

// Makes the README's pictures of the page, docs/page-light.png and docs/page-dark.png, from a made-up status. With --phone
// it also takes narrow ones, in target/.

const { createServer } = require('node:http');
const { join } = require('node:path');
const { chromium } = require('playwright-core');
const { page: served } = require('../lib/page.js');
const { statusOf } = require('../harness/page-status.js');

async function main() {
  const at = Date.UTC(2026, 0, 5, 9, 30);
  const server = createServer((req, res) => {
    const { body, headers } = served();
    if (req.url?.endsWith('/status'))
      res.setHeader('Content-Type', 'application/json').end(JSON.stringify(statusOf(100, at)));
    else res.writeHead(200, headers).end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  try {
    for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
      const viewport = { width: 1200, height: 700 };
      const page = await browser.newPage({
        colorScheme,
        viewport,
        reducedMotion: 'reduce',
        timezoneId: 'UTC',
        locale: 'en-GB',
      });
      await page.goto(`http://127.0.0.1:${port}/clustershazbot/`);
      await page.getByLabel('Control secret').fill('any');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: /Servers:/ }).waitFor();
      // Without the outline of the focus.
      await page.evaluate('document.activeElement.blur()');
      await page.screenshot({ path: join(__dirname, '..', 'docs', `page-${colorScheme}.png`) });
      if (process.argv.includes('--phone')) {
        await page.setViewportSize({ width: 390, height: 800 });
        await page.screenshot({ path: join(__dirname, '..', 'target', `page-phone-${colorScheme}.png`) });
      }
      await page.close();
    }
  } finally {
    await browser.close();
    server.close();
    server.closeAllConnections();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
