'use strict';

// A server that is not found at its own base URL says so within seconds, with the cause and the remedy.

const assert = require('node:assert/strict');
const { cpSync } = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { before, describe, test } = require('node:test');

const { certificates, missing } = require('../harness/certificates.js');
const { CONTROL_SECRET, environment, fileList, startServer } = require('../harness/cluster.js');
const { entry, gossip, message } = require('../harness/gossip.js');
const { request } = require('../harness/http.js');
const { freePorts } = require('../harness/ports.js');
const { start } = require('../harness/program.js');
const { until } = require('../harness/until.js');
const { during } = require('./support/during.js');
const { apps, projectOf, root, write } = require('./support/programs.js');

/** How long a process may take to load and to warn; the package promises to warn within 10 s. */
const TIMEOUT = 15_000;
const EXPRESS = { folder: root, file: path.join(root, '__test__', 'support', 'misrouted.js') };

/**
 * @typedef {object} Options
 * @property {Record<string, string>} [env]
 * @property {string} [scheme]
 * @property {string} [host]
 * @property {number} [urlPort] port of the base URL, if it is not the one on which the program listens
 * @property {{ folder: string, file: string }} [program]
 */

/**
 * @param {import('node:test').TestContext} t
 * @param {string} fault of the program
 * @param {Options} [options]
 */
async function startFaulty(t, fault, { env, scheme = 'http', host = '127.0.0.1', urlPort, program = EXPRESS } = {}) {
  const [port] = await freePorts(1);
  const baseUrl = `${scheme}://${host}:${urlPort ?? port}/`;
  const server = start(program.folder, process.execPath, [program.file], {
    PATH: process.env.PATH,
    ...environment(baseUrl),
    ...fileList().env,
    SHAZBOT_GOSSIP_INTERVAL: '30',
    TEST_FAULT: fault,
    TEST_PORT: String(port),
    ...env,
  });
  t.after(() => server.child.kill('SIGKILL'));
  const warnings = () => server.output.match(/\[SHAZBOT_SELF_PROBE\].*/g) ?? [];
  const warned = () => until(() => warnings()[0], { timeout: TIMEOUT, what: `a warning; output: ${server.output}` });
  const status = async () =>
    (await request(`${baseUrl}clustershazbot/status`, { headers: { authorization: CONTROL_SECRET } })).json;
  return { baseUrl, port, warnings, warned, status };
}

/**
 * @param {import('node:test').TestContext} t
 * @param {string} fault
 * @param {RegExp[]} patterns what the warning must say
 * @param {Options} [options]
 */
async function warns(t, fault, patterns, options) {
  const { baseUrl, warnings, warned } = await startFaulty(t, fault, options);
  const text = await warned();
  assert.ok(text.includes(`SHAZBOT_BASE_URL: POST ${baseUrl}clustershazbot/gossip`), text);
  for (const pattern of patterns) assert.match(text, pattern);
  await during(2_000, () => assert.equal(warnings().length, 1));
}

describe('a server that is not found at its base URL warns once, with cause and remedy:', { concurrency: 4 }, () => {
  /** @type {[fault: string, ...patterns: RegExp[]][]} */
  const cases = [
    ['a router below /api', /404/, /global prefix.*add that path to SHAZBOT_BASE_URL.*\/api\//],
    ['a router below /shazbot', /404/, /routes below another path/],
    ['no routes', /404/, /Does it have the routes at all/],
    ['no listen', /ECONNREFUSED/, /Does the program call listen.*0\.0\.0\.0/],
    ['an authentication middleware', /401/, /authentication.*Exempt.*in Express by mounting them before/],
    ['a CSRF check', /403/, /CSRF.*Exempt/],
    ['a rate limit', /429/, /rate limit.*Exempt/],
    ['a page for all paths', /HTML/, /Another program.*middleware answer all paths with a page/],
    ['a redirect', /308.*https:\/\/elsewhere\.test\//, /does not follow redirects/],
    ['a middleware that compresses', /compressed \(gzip\)/, /compresses answers.*Exempt/],
    ['a middleware that never answers', /no answer/, /never call next/],
    ['a proxy whose program is down', /502/, /a proxy that does not reach the program/],
    ['HTTP/2 in clear', /HTTP\/1\.1/, /HTTP\/2 only/],
  ];
  for (const [fault, ...patterns] of cases) test(fault, (t) => warns(t, fault, patterns));

  test('another program at its port', async (t) => {
    const other = http.createServer((_, res) => res.end('{"hello":"world"}')).listen(0, '127.0.0.1');
    t.after(() => other.close());
    await until(() => other.listening, { what: 'it listens' });
    const { port } = /** @type {import('node:net').AddressInfo} */ (other.address());
    await warns(t, '', [/Another program answers.*Is the port right/], { urlPort: port });
  });

  test('a wrong port after a redeployment, although others still call it at the right one', async (t) => {
    const [urlPort] = await freePorts(1);
    const { port, warned } = await startFaulty(t, '', { urlPort });
    const call = () => gossip(`http://127.0.0.1:${port}/`, message([entry('http://127.0.0.1:9/')]));
    await until(() => call().then(({ status }) => status === 200), { what: 'it answers' });
    const calls = setInterval(() => call().catch(() => {}), 200);
    t.after(() => clearInterval(calls));
    assert.match(await warned(), /ECONNREFUSED.*Nothing listens there/);
  });

  test('a URL that leads to another server of the cluster', async (t) => {
    const list = fileList();
    const other = await startServer(t, { env: list.env });
    const options = { host: 'localhost', urlPort: other.port, env: list.env };
    await warns(t, '', [/another server answers there/, /load balancer.*base URL that leads to it alone/], options);
  });

  test('a server of another cluster at its port', async (t) => {
    const other = await startServer(t, { env: { ...fileList().env, SHAZBOT_SECRET: 'the-secret-of-others' } });
    await warns(t, '', [/refuses our SHAZBOT_SECRET/, /another cluster/], { host: 'localhost', urlPort: other.port });
  });

  test('http in the URL of a server that speaks https', { skip: missing }, async (t) => {
    const { directory } = certificates();
    await warns(t, '', [/ECONNRESET|HPE_INVALID/, /TLS where SHAZBOT_BASE_URL begins with http:/], {
      env: { TEST_PAIR: directory },
    });
  });

  test('https in the URL of a server that does not speak it', (t) =>
    warns(t, '', [/EPROTO/, /SHAZBOT_BASE_URL must begin with http:/], { scheme: 'https' }));

  test('a certificate of an unknown authority', { skip: missing }, async (t) => {
    const { directory } = certificates();
    const options = { scheme: 'https', env: { TEST_PAIR: directory } };
    await warns(t, '', [/issuer that this server does not trust/, /NODE_EXTRA_CA_CERTS/], options);
  });

  test('a certificate for another name', { skip: missing }, async (t) => {
    const { directory, authority } = certificates('DNS:elsewhere.test');
    const options = { scheme: 'https', env: { TEST_PAIR: directory, NODE_EXTRA_CA_CERTS: authority } };
    await warns(t, '', [/is for elsewhere\.test, not for 127\.0\.0\.1/, /as a subjectAltName/], options);
  });

  test('a server that speaks HTTP/2 only', { skip: missing }, async (t) => {
    const { directory, authority } = certificates();
    const options = { scheme: 'https', env: { TEST_PAIR: directory, NODE_EXTRA_CA_CERTS: authority } };
    await warns(t, 'HTTP/2 over TLS', [/HTTP\/2 only/, /allowHTTP1/], options);
  });

  test('a name that DNS does not know', (t) =>
    warns(t, '', [/cannot resolve the host name/], { host: 'nowhere.invalid' }));

  describe('a Nest application with', () => {
    /** @type {{ folder: string, file: string }} */
    let program;
    before(() => {
      const folder = projectOf('self-probe', 'nest11');
      const file = path.join(folder, 'misrouted-nest.cjs');
      cpSync(path.join(apps, 'plain', 'misrouted-nest.cjs'), file);
      // Otherwise the name of this package would mean the repository.
      write(folder, { 'package.json': {} });
      program = { folder, file };
    });

    for (const [fault, ...patterns] of /** @type {[string, ...RegExp[]][]} */ ([
      ['a global prefix', /404/, /global prefix.*add that path to SHAZBOT_BASE_URL.*\/api\//],
      ['a guard', /403/, /guard.*Exempt.*In Nest with ShazbotModule\.forRoot\(\{ decorators: \[Public\(\)\] \}\)/],
      ['a throttler', /429/, /rate limit.*Exempt/],
    ])) {
      test(fault, (t) => warns(t, fault, patterns, { program }));
    }
  });
});

describe('a server that is found at its base URL', { concurrency: 4 }, () => {
  for (const fault of ['', 'a late listen', 'hand-written routes']) {
    test(`does not warn: ${fault || 'the router'}`, async (t) => {
      const { warnings } = await startFaulty(t, fault);
      await during(12_000, () => assert.deepEqual(warnings(), []));
    });
  }

  test('ends its warning when it is', async (t) => {
    const { warned, status, warnings } = await startFaulty(t, 'a guard for some seconds');
    await warned();
    await until(async () => (await status()).warnings?.length === 0, { timeout: TIMEOUT, what: 'the warning ends' });
    assert.equal(warnings().length, 1);
  });

  test('ends its warning when another server calls it there, although it does not reach itself', async (t) => {
    const list = fileList();
    const { baseUrl, warned, status } = await startFaulty(t, 'a guard that knows the own server', { env: list.env });
    await warned();
    const codes = async () => (await status()).warnings.map((/** @type {{ code: string }} */ { code }) => code);
    assert.deepEqual(await codes(), ['SHAZBOT_SELF_PROBE']);
    const peer = await startServer(t, { env: list.env });
    await until(async () => (await codes()).length === 0, { timeout: TIMEOUT, what: 'the warning ends' });
    await until(async () => (await peer.view()).online.includes(baseUrl), { what: 'it is listed' });
    await during(4_000, async () => assert.deepEqual(await codes(), []));
  });
});
