'use strict';

// The commands that run something: `dev` runs a program, `master-list` a server for the master list.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { describe, test } = require('node:test');

const { request } = require('../harness/http.js');
const { start: startCommand } = require('../harness/program.js');
const { until } = require('../harness/until.js');
const { isRunning } = require('../lib/cli/processes.js');
const { Project, read } = require('./support/documents.js');
const { runsTwice } = require('./support/twice.js');

const CLI = 'node_modules/clustershazbot/bin/clustershazbot.js';

/**
 * A project with the program of examples/express, and a folder of its own for temporary files.
 *
 * @param {import('node:test').TestContext} t
 */
function project(t) {
  const it = new Project();
  t.after(() => it.remove());
  it.write('server.cjs', read('examples/express/server.js'));
  const temporary = path.join(it.folder, 'tmp');
  mkdirSync(temporary);
  return { it, temporary, env: { TMPDIR: temporary, TEMP: temporary, PORT: '' } };
}

describe('dev', () => {
  const run = ['dev', '--', process.execPath, 'server.cjs'];

  test('runs two servers that find each other, with nothing set', { timeout: 60_000 }, async (t) => {
    const { it, temporary, env } = project(t);
    const servers = [it.run(CLI, env, run), it.run(CLI, env, run)];
    const output = () => servers.map(({ output }) => output).join('\n');
    const commands = await until(
      () => {
        const found = servers.map((server) =>
          /npx clustershazbot members --watch --url (\S+) --secret-file (\S+)/.exec(server.output),
        );
        return found.every(Boolean) && found.map((match) => /** @type {RegExpExecArray} */ (match));
      },
      { what: 'both say where they are' },
    );
    const urls = commands.map(([, url]) => String(url)).sort();
    assert.notEqual(urls[0], urls[1]);
    const authorization = readFileSync(String(commands[0]?.[2]), 'utf8');
    const lists = async () => {
      for (const url of urls) {
        const { json } = await request(`${url}clustershazbot/list`, { headers: { authorization } });
        assert.deepEqual(json.online.map((/** @type {any} */ entry) => entry.baseUrl).sort(), urls);
        assert.ok(json.offline, 'the secret of the file is that of the server');
      }
      return true;
    };
    await until(lists, { timeout: 20_000, what: 'both list both' }).catch((error) =>
      assert.fail(`${error}\n${output()}`),
    );
    for (const { child } of servers) child.kill('SIGTERM');
    for (const server of servers) assert.equal(await server.exit, 0, server.output);
    assert.doesNotMatch(output(), new RegExp(authorization), 'no secret is printed');
    const [own = ''] = readdirSync(temporary).filter((name) => name.startsWith('clustershazbot-dev'));
    if (process.platform !== 'win32') assert.equal(statSync(path.join(temporary, own)).mode & 0o777, 0o700);
  });

  test('passes on arguments and the exit code of the program', async (t) => {
    const { it, env } = project(t);
    it.write('exit.mjs', 'console.log(process.argv.slice(2).join()); process.exitCode = 7;');
    const ended = it.run(CLI, env, ['dev', '--', process.execPath, 'exit.mjs', '--help', '-x']);
    assert.equal(await ended.exit, 7);
    assert.match(ended.output, /^--help,-x$/m);
  });

  test('refuses production, a base URL that others reach, and a folder that others can use', async (t) => {
    const { it, temporary, env } = project(t);
    for (const [name, value] of /** @type {const} */ ([
      ['NODE_ENV', 'production'],
      ['SHAZBOT_BASE_URL', 'http://10.0.0.1:3000/'],
      ['SHAZBOT_BASE_URL', 'http://{hostname}.internal:3000/'],
    ])) {
      const refused = it.run(CLI, { ...env, [name]: value }, run);
      assert.equal(await refused.exit, 2, refused.output);
      assert.match(refused.output, new RegExp(name));
    }
    for (const args of [['dev'], ['dev', 'node', 'app.js'], ['dev', '--nonsense']]) {
      assert.equal(await it.run(CLI, env, args).exit, 2);
    }
    if (process.platform === 'win32') return;
    const [own = ''] = readdirSync(temporary);
    chmodSync(path.join(temporary, own), 0o777);
    const refused = it.run(CLI, env, run);
    assert.equal(await refused.exit, 1);
    assert.match(refused.output, /is not a folder that only you can use/);
  });
});

describe('a signal ends', { skip: process.platform === 'win32' && 'Windows has no signals' }, () => {
  const program = [process.execPath, 'app.cjs'];

  /** @param {import('node:test').TestContext} t */
  function commandProject(t) {
    const { it, env } = project(t);
    it.write('app.cjs', "console.log('pid', process.pid); setInterval(() => {}, 1e3);");
    it.write('package.json', JSON.stringify({ scripts: { start: 'node app.cjs' } }));
    const bin = path.join(it.folder, 'node_modules/.bin');
    mkdirSync(bin);
    symlinkSync('../clustershazbot/bin/clustershazbot.js', path.join(bin, 'clustershazbot'));
    chmodSync(path.join(it.folder, CLI), 0o755);
    return { it, env };
  }

  /**
   * Sends the signal to the command once it runs this many processes, and waits until they have ended.
   *
   * @param {import('../harness/program.js').Program} command
   * @param {NodeJS.Signals} signal
   * @param {number} count
   */
  async function endsAll(command, signal, count) {
    const pids = () => [...new Set([...command.output.matchAll(/\bpid (\d+)/g)].map(([, pid]) => Number(pid)))];
    const what = 'its processes run';
    await until(() => pids().length >= count, { timeout: 30_000, what }).catch((error) =>
      assert.fail(`${error}\n${command.output}`),
    );
    command.child.kill(signal);
    const running = () => pids().filter(isRunning);
    const ended = until(() => running().length === 0, { timeout: 15_000, what: 'its processes have ended' });
    await ended.finally(() => running().map((pid) => process.kill(pid, 'SIGKILL')));
  }

  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    test(`dev and its program, without a terminal: ${signal}`, async (t) => {
      const { it, env } = commandProject(t);
      await endsAll(it.run(CLI, env, ['dev', '--', ...program]), signal, 1);
    });
  }

  for (const [signal, name, count, args] of /** @type {const} */ ([
    ['SIGTERM', 'dev', 1, ['dev', '--', ...program]],
    ['SIGHUP', 'dev', 1, ['dev', '--', ...program]],
    ['SIGTERM', 'dev of npm start', 1, ['dev', '--', 'npm', 'start']],
    ['SIGTERM', 'demo', 5, ['demo', '--keep']],
    ['SIGHUP', 'demo', 5, ['demo', '--keep']],
  ])) {
    test(`${name} and what it runs, if npx gets it: ${signal}`, { timeout: 60_000 }, async (t) => {
      const { it, env } = commandProject(t);
      const command = startCommand(it.folder, 'npx', ['clustershazbot', ...args], { ...process.env, ...env });
      t.after(() => command.child.kill('SIGKILL'));
      await endsAll(command, signal, count);
    });
  }
});

describe('master-list', () => {
  const SECRET = 'Bearer the-secret-of-the-list';
  const authorized = { authorization: SECRET };
  /** @param {string[]} servers */
  const list = (...servers) => ({ online: servers.map((baseUrl) => ({ baseUrl })) });

  /**
   * @param {import('node:test').TestContext} t
   * @param {NodeJS.ProcessEnv} [env]
   */
  async function start(t, env) {
    const { it } = project(t);
    const args = ['master-list', '--port', '0', '--host', '127.0.0.1', '--file', 'servers.json'];
    const store = it.run(CLI, { SHAZBOT_MASTER_LIST_UPDATE_AUTH: SECRET, ...env }, args);
    const url = await until(() => /http:\S+servers\.json/.exec(store.output)?.[0], { what: 'the store listens' });
    return { it, store, url };
  }

  test('serves a cluster of two, and ends without a trace', { timeout: 60_000 }, async (t) => {
    const { it, store, url } = await start(t);
    await runsTwice(it.folder, (own) =>
      it.run('server.cjs', {
        ...own,
        SHAZBOT_MASTER_LIST: url,
        SHAZBOT_MASTER_LIST_UPDATE: url,
        SHAZBOT_MASTER_LIST_UPDATE_AUTH: SECRET,
        SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN: 'true',
      }),
    );
    assert.deepEqual((await request(url)).json.online, [], 'both servers removed themselves from the list');
    store.child.kill('SIGTERM');
    assert.equal(await store.exit, 0);
    assert.equal(store.output.trim().split('\n').length, 1, store.output);
    const left = readdirSync(it.folder).filter((name) => name.startsWith('servers.json'));
    assert.deepEqual(left, ['servers.json'], 'no temporary file is left');
  });

  test('writes only if nobody else has written since the list was read', async (t) => {
    const { url, it } = await start(t);
    const empty = await request(url);
    assert.deepEqual(empty.json, { online: [] });
    const etag = String(empty.headers.etag);
    const put = (/** @type {any} */ body, /** @type {Record<string, string>} */ headers) =>
      request(url, { method: 'PUT', headers: { ...authorized, ...headers }, body });
    assert.equal((await put(list('http://a/'), { 'if-none-match': '*' })).status, 412, 'the list exists');
    // Both have read the same: one of them must read again.
    const both = await Promise.all(['http://b/', 'http://c/'].map((it) => put(list(it), { 'if-match': etag })));
    assert.deepEqual(both.map(({ status }) => status).sort(), [204, 412]);
    const { headers, json } = await request(url);
    assert.equal(json.online.length, 1);
    assert.equal((await put(list('http://d/'), { 'if-match': '*' })).status, 204);
    assert.equal((await put(list('http://e/'), {})).status, 204, 'without a condition');
    assert.notEqual((await request(url)).headers.etag, headers.etag);
    const now = String((await request(url)).headers.etag);
    assert.equal((await request(url, { headers: { 'if-none-match': now } })).status, 304);
    assert.deepEqual(JSON.parse(readFileSync(path.join(it.folder, 'servers.json'), 'utf8')), list('http://e/'));
  });

  test('refuses requests without the secret, and bodies that are not a list or are too large', async (t) => {
    const { url, store } = await start(t, { SHAZBOT_MASTER_LIST_AUTH: 'Bearer to-read' });
    assert.equal((await request(url)).status, 401);
    for (const authorization of ['Bearer to-read', SECRET]) {
      assert.equal((await request(url, { headers: { authorization } })).status, 200);
    }
    const put = (/** @type {Record<string, string>} */ headers, /** @type {any} */ body) =>
      request(url, { method: 'PUT', headers, body });
    for (const authorization of ['', 'Bearer to-read', `${SECRET}x`, SECRET.slice(1)]) {
      assert.equal((await put({ authorization }, list('http://a/'))).status, 401);
    }
    for (const body of ['{', '[]', '{"online":{}}', '{"online":[1]}']) {
      assert.equal((await put(authorized, body)).status, 400, body);
    }
    // Without sending the body: the answer comes before it.
    const large = http.request(url, { method: 'PUT', headers: { ...authorized, 'content-length': 9 << 20 } });
    t.after(() => large.destroy());
    large.flushHeaders();
    const [answer] = await once(large, 'response');
    assert.equal(answer.statusCode, 413);
    large.on('error', () => {});
    assert.equal((await request(url, { method: 'POST', headers: authorized })).status, 405);
    assert.equal((await request(url.replace('servers', 'other'))).status, 404);
    assert.deepEqual((await request(url, { headers: authorized })).json, { online: [] });
    assert.doesNotMatch(store.output, /the-secret/);
  });

  test('survives a client that ends in the middle of a request', async (t) => {
    const { url, store } = await start(t);
    const { hostname, port } = new URL(url);
    const socket = net.connect(Number(port), hostname);
    socket.write(
      `PUT /servers.json HTTP/1.1\r\nHost: a\r\nAuthorization: ${SECRET}\r\nContent-Length: 100\r\n\r\n{"onl`,
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.destroy();
    assert.equal((await request(url)).status, 200);
    assert.equal(store.output.trim().split('\n').length, 1, store.output);
  });

  test('does not start without a secret, or with a file that is not a list', async (t) => {
    const { it } = project(t);
    const secretless = it.run(CLI, {}, ['master-list', '--port', '0']);
    assert.equal(await secretless.exit, 2);
    assert.match(secretless.output, /SHAZBOT_MASTER_LIST_UPDATE_AUTH/);
    writeFileSync(path.join(it.folder, 'other.json'), '{}');
    const env = { SHAZBOT_MASTER_LIST_UPDATE_AUTH: SECRET };
    const wrong = it.run(CLI, env, ['master-list', '--port', '0', '--file', 'other.json']);
    assert.equal(await wrong.exit, 1);
    assert.match(wrong.output, /Cannot use other\.json: it is not a list/);
    for (const args of [['--port', 'x'], ['--nonsense'], ['--file', 'missing/servers.json']]) {
      assert.ok(Number(await it.run(CLI, env, ['master-list', ...args]).exit) > 0);
    }
  });
});
