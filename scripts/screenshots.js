'use strict';

// Makes the pictures of the documents: docs/page-light.png and docs/page-dark.png from a made-up status, docs/demo.png from
// the demo. With --all it takes the page in all sizes, colours and states instead, in target/page/.

const { mkdirSync } = require('node:fs');
const { createServer } = require('node:http');
const { join } = require('node:path');
const { chromium } = require('playwright-core');
const { statusOf } = require('../harness/page-status.js');
const { page: served } = require('../lib/page.js');
const { takeDemo } = require('./screenshots-demo.js');

const DOCS = join(__dirname, '..', 'docs');
const ALL = join(__dirname, '..', 'target', 'page');
const COLOURS = /** @type {const} */ (['light', 'dark']);
const AT = Date.UTC(2026, 0, 5, 9, 30);

/** @typedef {{ colorScheme: 'light' | 'dark', width: number, height: number, path: string }} Picture */

async function main() {
  const served = await servePage();
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  const take = async (/** @type {Picture} */ { colorScheme, width, height, path }) => {
    const viewport = { width, height };
    const options = { colorScheme, viewport, reducedMotion: /** @type {const} */ ('reduce') };
    const page = await browser.newPage({ ...options, timezoneId: 'UTC', locale: 'en-GB' });
    await page.goto(served.url);
    await page.getByLabel('Control secret').fill('any');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Servers', exact: true }).waitFor();
    await page.screenshot({ path });
    await page.close();
  };
  try {
    if (process.argv.includes('--all')) {
      mkdirSync(ALL, { recursive: true });
      for (const { name, kind, count, ...picture } of allPictures()) {
        served.status = statusOf(count, AT, kind);
        await take({ ...picture, path: join(ALL, `${name}.png`) });
      }
      return;
    }
    served.status = statusOf(100, AT, 'incident');
    for (const colorScheme of COLOURS) {
      await take({ colorScheme, width: 1280, height: 720, path: join(DOCS, `page-${colorScheme}.png`) });
    }
    await takeDemo(browser);
  } finally {
    await browser.close();
    served.close();
  }
}

function allPictures() {
  const kinds = /** @type {const} */ (['healthy', 'incident']);
  return kinds.flatMap((kind) =>
    [2, 12, 100, 1_000].flatMap((count) =>
      [390, 768, 1280, 1920].flatMap((width) =>
        COLOURS.map((colorScheme) => {
          const name = `${kind}-${count}-${width}-${colorScheme}`;
          return { name, kind, count, width, height: 900, colorScheme };
        }),
      ),
    ),
  );
}

/** Serves the page with a status that can be exchanged. */
async function servePage() {
  const server = createServer((req, res) => {
    const { body, headers } = served();
    if (!req.url?.endsWith('/status')) return res.writeHead(200, headers).end(body);
    res.setHeader('Content-Type', 'application/json').end(JSON.stringify(result.status));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const result = {
    url: `http://127.0.0.1:${port}/clustershazbot/`,
    status: statusOf(2, AT),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return result;
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
