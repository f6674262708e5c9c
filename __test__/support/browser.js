'use strict';

// Opens the status page in a real browser, with a real server or with one that serves a made-up status.

const assert = require('node:assert/strict');
const { existsSync } = require('node:fs');
const http = require('node:http');
const { after, before } = require('node:test');
const { chromium } = require('playwright-core');

const { CONTROL_SECRET } = require('../../harness/cluster.js');
const { close, listen } = require('../../harness/http.js');
const { freePorts } = require('../../harness/ports.js');
const { page: served } = require('../../lib/page.js');

const executablePath = '/usr/bin/chromium';
const skip = !existsSync(executablePath) && process.env.SHAZBOT_TEST_ALL !== '1' && 'chromium is not installed';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('node:test').TestContext} TestContext */

/** Starts a browser for the tests of a `describe`, and returns a function that opens pages. */
function useBrowser() {
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
  return async function open(t, url, options) {
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
  };
}

/**
 * @param {Page} page
 * @param {string} [secret]
 */
async function logIn(page, secret = CONTROL_SECRET) {
  await page.getByLabel('Control secret').fill(secret);
  await page.keyboard.press('Enter');
}

/** Waits until the page shows a status. @param {Page} page */
const untilShown = (page) => page.getByRole('heading', { name: 'Servers', exact: true }).waitFor();

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

module.exports = { logIn, skip, startFakeServer, untilShown, useBrowser };
