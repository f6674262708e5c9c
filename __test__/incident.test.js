'use strict';

// An incident with five causes at once: what operators look at must lead to each of them.

const assert = require('node:assert/strict');
const { existsSync } = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');

const { chromium } = require('playwright-core');

const { certificates, missing } = require('../harness/certificates.js');
const { CONTROL_SECRET, agree, environment, fileList, startServer, untilGossiped } = require('../harness/cluster.js');
const { startCuttablePort } = require('../harness/cuttable-port.js');
const { freePorts } = require('../harness/ports.js');
const { until } = require('../harness/until.js');
const { root, runToEnd } = require('./support/programs.js');

const CHROMIUM = '/usr/bin/chromium';
const noBrowser = !existsSync(CHROMIUM) && process.env.SHAZBOT_TEST_ALL !== '1' && 'chromium is not installed';
const BIN = path.join(root, 'bin', 'clustershazbot.js');

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

/**
 * Each cause, the code that the servers find, how the table of members names it, and what the advice names.
 * @type {Record<string, { code: string, why: RegExp, advice: RegExp, result: 'warn' | 'FAIL' }>}
 */
const CAUSES = {
  killed: { code: 'ECONNREFUSED', why: /refused/, advice: /Nothing listens on .*Start the program/, result: 'warn' },
  stopped: { code: 'SHAZBOT_NO_ANSWER', why: /stopped|blocked/, advice: /stopped \(SIGSTOP/, result: 'warn' },
  'cut off': {
    code: 'ETIMEDOUT',
    why: /no connection/,
    advice: /only the way to this URL is closed.*firewall/,
    result: 'FAIL',
  },
  expired: { code: 'CERT_HAS_EXPIRED', why: /certificate/, advice: /Renew the certificate/, result: 'FAIL' },
  prefix: { code: 'HTTP_404', why: /404/, advice: /global prefix such as \/api/, result: 'FAIL' },
};

describe('an incident: servers are killed, stopped, cut off, expired and without their prefix', {
  skip: missing,
}, () => {
  const list = fileList();
  const { directory, authority, expire } = missing ? /** @type {any} */ ({}) : certificates();
  const shared = {
    ...list.env,
    TEST_ROUTER: 'yes',
    NODE_EXTRA_CA_CERTS: authority,
    SHAZBOT_ALLOWED_ORIGINS: 'http://127.0.0.1:*,https://127.0.0.1:*',
  };
  /** @type {Record<string, Server>} the servers with a cause, by its name */
  let broken = {};
  /** @type {Server[]} */
  let observers = [];
  const observer = () => /** @type {Server} */ (observers[0]);

  before(async () => {
    const scope = { after };
    const [port, cuttable] = /** @type {[number, number]} */ (/** @type {unknown} */ (await freePorts(2)));
    const cable = await startCuttablePort(scope, cuttable, port);
    const start = (/** @type {Partial<import('../harness/cluster.js').ServerOptions>} */ options = {}) =>
      startServer(scope, { ...options, env: { ...shared, ...options.env } });
    const [first, second, killed, stopped, cut, expired, prefix] = await Promise.all([
      ...[start(), start(), start(), start()],
      start({ port, baseUrl: `http://127.0.0.1:${cuttable}/` }),
      start({ env: { TEST_TLS: directory } }),
      start(),
    ]);
    observers = [first, second].map((it) => /** @type {Server} */ (it));
    broken = /** @type {any} */ ({ killed, stopped, 'cut off': cut, expired, prefix });
    await agree([...observers, ...Object.values(broken)], { online: [...observers, ...Object.values(broken)] });
    await untilGossiped([...observers, ...Object.values(broken)]);

    await Promise.all(['killed', 'expired', 'prefix'].map((name) => broken[name]?.kill()));
    expire();
    broken.stopped?.signal('SIGSTOP');
    await cable.cut();
    // The dates of a certificate have whole seconds, and a connection that is made before its end is kept.
    await sleep(2_000);
    await Promise.all([restart('expired', {}), restart('prefix', { TEST_PREFIX: '/api' })]);
    for (const it of observers) await untilFound(it);
  });
  after(() => broken.stopped?.signal('SIGCONT'));

  /** @param {string} name @param {Record<string, string>} env */
  async function restart(name, env) {
    const server = /** @type {Server} */ (broken[name]);
    Object.assign(server.env, env);
    await server.restart();
  }

  /** Waits until a server lists all five as failed, and has found the causes itself. @param {Server} server */
  async function untilFound(server) {
    const found = async () => {
      /** @type {{ members: any[] }} */
      const { members } = await server.order('call', 'shazbotStatus');
      const states = Object.entries(broken).map(([name, { baseUrl }]) => {
        const { state, lastError } = members.find((it) => it.baseUrl === baseUrl) ?? {};
        return [name, state, lastError?.code];
      });
      assert.deepEqual(
        states,
        Object.entries(CAUSES).map(([name, { code }]) => [name, 'offline', code]),
      );
      return true;
    };
    await until(found, { timeout: 60_000, what: `${server.baseUrl} has found the causes` });
  }

  /** Runs a command with the environment of the first server. @param {string[]} args */
  const run = (...args) =>
    runToEnd([BIN, ...args], { env: { ...environment(observer().baseUrl), ...shared }, timeout: 60_000 });

  test('members names each cause in the row of its server', async () => {
    const { code, stdout } = await run('members');
    assert.equal(code, 0);
    for (const [name, { why }] of Object.entries(CAUSES)) {
      const row = stdout.split('\n').find((line) => line.startsWith(`${broken[name]?.baseUrl} `)) ?? '';
      assert.match(row, / failed +\d+ (s|min) /, name);
      assert.match(row, why, name);
    }
    for (const { baseUrl } of observers) assert.match(stdout, new RegExp(`^${baseUrl} +online `, 'm'));
  });

  for (const [name, { code: expected, advice }] of Object.entries(CAUSES)) {
    test(`explain concludes the cause: ${name}`, async () => {
      const { code, stdout } = await run('explain', String(broken[name]?.baseUrl), '--timeout', '2');
      assert.equal(code, 0);
      const conclusion = stdout.trimEnd().split('\n').at(-1) ?? '';
      assert.match(conclusion, new RegExp(`cannot reach it: .*${expected.replace('HTTP_', 'HTTP ')}`));
      assert.match(conclusion, advice);
    });
  }

  test('doctor has a row for each cause, and fails for those that keep a running server apart', async () => {
    const { code, stdout } = await run('doctor', '--timeout', '2');
    assert.equal(code, 1, stdout);
    const lines = stdout.split('\n');
    for (const [name, { advice, result }] of Object.entries(CAUSES)) {
      const row = lines.findIndex((line) => line.includes(` members `) && line.includes(`${broken[name]?.baseUrl}:`));
      assert.match(
        lines[row] ?? '',
        new RegExp(`^${result} +members .*: failed for .*, as .*${observer().baseUrl}`),
        name,
      );
      assert.match(lines[row + 1] ?? '', advice, name);
    }
  });

  test('the metrics count the failing servers by their cause', async () => {
    const metrics = await observer().order('metrics');
    for (const { code } of Object.values(CAUSES)) {
      assert.match(metrics, new RegExp(`^clustershazbot_failing_members\\{code="${code}"\\} 1$`, 'm'));
    }
    assert.match(metrics, /^clustershazbot_members\{state="failed"\} 5$/m);
  });

  test('the page names each cause in the row of its server', { skip: noBrowser }, async (t) => {
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    t.after(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${observer().baseUrl}clustershazbot/`);
    await page.getByLabel('Control secret').fill(CONTROL_SECRET);
    await page.keyboard.press('Enter');
    for (const [name, { why }] of Object.entries(CAUSES)) {
      const row = page.getByRole('row').filter({ has: page.getByText(String(broken[name]?.baseUrl), { exact: true }) });
      await row.first().waitFor();
      assert.match(String(await row.first().textContent()), why, name);
    }
  });
});
