'use strict';

// The configuration in examples/nginx, with a real nginx in front of the program of examples/express.

const assert = require('node:assert/strict');
const https = require('node:https');
const path = require('node:path');
const { describe, test } = require('node:test');
const { pathToFileURL } = require('node:url');

const { certificates, missing: noCertificates } = require('../harness/certificates.js');
const { folder } = require('../harness/folder.js');
const { freePorts } = require('../harness/ports.js');
const { until } = require('../harness/until.js');
const { Project, read } = require('./support/documents.js');
const { missing: noNginx, runNginx } = require('./support/nginx.js');
const { SECRETS, know } = require('./support/twice.js');

const CONFIGURATION = read('examples/nginx/app.conf');

/** What the page changes in the configuration before it restarts a server. @param {string} text @param {string} server */
const markedDown = (text, server) => text.replace(`server ${server} `, `server ${server} down `);

/**
 * @param {string} url
 * @param {string} [method]
 * @returns {Promise<{ status: number, text: string }>}
 */
function ask(url, method = 'GET') {
  return new Promise((resolve, reject) => {
    // The path as it is: the class URL would resolve its dots.
    const [, host, port, location] = /^https:\/\/(.*?):(\d+)(\/.*)$/.exec(url) ?? [];
    const options = { host, port, path: location, method, agent: false, rejectUnauthorized: false };
    const call = https.request(options, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    call.on('error', reject);
    call.end();
  });
}

/** Three servers behind nginx. @param {import('node:test').TestContext} t */
async function startThree(t) {
  const project = new Project();
  t.after(() => project.remove());
  project.write('server.cjs', read('examples/express/server.js'));
  const [own, ...ports] = await freePorts(4);
  const list = pathToFileURL(path.join(project.folder, 'servers.json')).href;
  const start = (/** @type {number} */ port) =>
    project.run('server.cjs', {
      ...SECRETS,
      PORT: String(port),
      SHAZBOT_BASE_URL: `http://127.0.0.1:${port}/`,
      SHAZBOT_MASTER_LIST: list,
    });
  const programs = ports.map(start);
  const { directory } = certificates();
  const configuration = ports
    .reduce((text, port, n) => text.replace(`10.0.0.${n + 1}:3000`, `127.0.0.1:${port}`), CONFIGURATION)
    .replace('listen 443', `listen 127.0.0.1:${own}`)
    .replace('/etc/nginx/app.crt', path.join(directory, 'cert.pem'))
    .replace('/etc/nginx/app.key', path.join(directory, 'key.pem'));
  await know(...ports.map((port) => `http://127.0.0.1:${port}/`));
  const url = `https://127.0.0.1:${own}/`;
  const nginx = await runNginx(t, folder(), configuration, `http://127.0.0.1:${own}/`);
  return { configuration, nginx, ports, programs, start, url };
}

describe('nginx with the configuration of the example', { skip: noNginx() || noCertificates, timeout: 120_000 }, () => {
  test('passes on requests, but none to the routes of the cluster, however the path is written', async (t) => {
    const { url } = await startThree(t);
    assert.equal(JSON.parse((await ask(`${url}peers`)).text).length, 2);
    for (const location of [
      'clustershazbot',
      'clustershazbot/',
      'clustershazbot/list',
      'clustershazbot/health',
      '/clustershazbot/list',
      '%63lustershazbot/list',
      'peers/../clustershazbot/list',
      './clustershazbot/list',
      'CLUSTERSHAZBOT/list',
      'clustershazbot%2Flist',
      '%2Fclustershazbot/list',
      'clustershazbot;/list',
    ]) {
      const { status, text } = await ask(`${url}${location}`);
      assert.equal(status, 404, `${location}: ${text}`);
    }
  });

  test('sends requests to the other servers if one is killed', async (t) => {
    const { programs, url } = await startThree(t);
    programs[0]?.child.kill('SIGKILL');
    await programs[0]?.exit;
    for (let n = 0; n < 30; n += 1) assert.equal((await ask(`${url}peers`)).status, 200);
  });

  test('loses neither GET nor POST while servers that are marked as down restart', async (t) => {
    const { configuration, nginx, ports, programs, start, url } = await startThree(t);
    /** @type {Promise<{ status: number, text: string }>[]} */
    const answers = [];
    const timer = setInterval(() => answers.push(ask(`${url}peers`), ask(`${url}peers`, 'POST')), 20);
    t.after(() => clearInterval(timer));
    for (const [n, port] of ports.slice(0, 2).entries()) {
      nginx.reload(markedDown(configuration, `127.0.0.1:${port}`));
      await until(async () => (await ask(`${url}peers`)).status === 200, { what: 'nginx has reloaded' });
      programs[n]?.child.kill('SIGTERM');
      assert.equal(await programs[n]?.exit, 0);
      programs[n] = start(port);
      await know(...ports.map((it) => `http://127.0.0.1:${it}/`));
      nginx.reload(configuration);
    }
    clearInterval(timer);
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    assert.ok(statuses.length > 100, `${statuses.length} requests`);
    // The program has no route for a POST.
    assert.deepEqual([...new Set(statuses)].sort(), [200, 404]);
  });
});
