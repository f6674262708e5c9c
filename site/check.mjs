// Checks the built site: each link leads to a page and a heading, and each page can be read without JavaScript. With --browser also
// whether axe accepts pages in Chromium, in both colour schemes and on a phone.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('.vitepress/dist', import.meta.url));
const BASE = process.env.BASE_PATH ?? '/';

/** The file of a path, as GitHub Pages finds it. */
const fileOf = (location) =>
  [location, `${location}.html`, path.join(location, 'index.html')]
    .map((name) => path.join(DIST, name))
    .find((file) => existsSync(file) && path.extname(file) !== '');

const names = readdirSync(DIST, { recursive: true, encoding: 'utf8' }).filter((name) => /(?<!404)\.html$/.test(name));
const texts = new Map(names.map((name) => [path.join(DIST, name), readFileSync(path.join(DIST, name), 'utf8')]));
const ids = (text) => new Set([...text.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id));

const broken = [];
for (const [file, text] of texts) {
  const main = text.split('<main')[1] ?? '';
  if (main.replace(/<[^>]*>/g, '').length < 200) broken.push(`${file}: has no text without JavaScript`);
  const here = new URL(path.relative(DIST, file), `http://site${BASE}`);
  for (const [, link] of text.matchAll(/<a\b[^>]*\bhref="([^"]+)"/g)) {
    const target = new URL(link.replaceAll('&amp;', '&'), here);
    // Files of the repository that are no pages: the workflow that deploys the site gives them a host.
    if (target.host !== 'site' || existsSync(path.join(DIST, '../../..', target.pathname.slice(BASE.length)))) {
      if (!/\.html$|\/$/.test(target.pathname) || target.host !== 'site') continue;
    }
    const found = fileOf(decodeURI(target.pathname.slice(BASE.length)));
    const heading = decodeURIComponent(target.hash.slice(1));
    if (!found || (heading && !ids(texts.get(found) ?? '').has(heading)))
      broken.push(`${path.relative(DIST, file)}: ${link}`);
  }
}
assert.deepEqual(broken, []);
console.log(`${texts.size} pages, no dead link`);

if (process.argv.includes('--browser')) {
  const require = createRequire(new URL('../package.json', import.meta.url));
  const { chromium } = require('playwright-core');
  const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
  const server = createServer((request, response) => {
    const file = fileOf(decodeURI(new URL(request.url, 'http://site').pathname.slice(BASE.length)));
    const type = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json' };
    if (file)
      response
        .writeHead(200, { 'content-type': type[path.extname(file)] ?? 'application/octet-stream' })
        .end(readFileSync(file));
    else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  for (const colorScheme of ['light', 'dark']) {
    for (const [name, width] of [
      ['', 1280],
      ['docs/guarantees', 1280],
      ['docs/errors', 390],
      ['docs/api', 390],
    ]) {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
      await page.goto(`http://127.0.0.1:${server.address().port}${BASE}${name}`, { waitUntil: 'load' });
      const { violations } = await page.evaluate(`${axe}; axe.run({ exclude: [['.shiki'], ['.DocSearch']] })`);
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes[0].target} (${nodes.length})`);
      assert.deepEqual(found, [], `/${name}, ${colorScheme}, ${width} px`);
      await page.close();
    }
  }
  await browser.close();
  server.close();
  console.log('axe finds nothing');
}
