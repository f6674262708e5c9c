'use strict';

// The command line: list, status, offline, online, check and watch, and how they report errors.

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const { writeFileSync } = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');

const {
  CONTROL_SECRET,
  SECRET,
  untilGossiped,
  agree,
  environment,
  fileList,
  startServer,
  startServers,
} = require('../harness/cluster.js');
const { unusedUrl, startFakePeer } = require('../harness/fake-peer.js');
const { folder } = require('../harness/folder.js');
const { root, runToEnd } = require('./support/programs.js');
const { startStore } = require('./support/store.js');
const { until } = require('../harness/until.js');

const BIN = path.join(root, 'bin', 'clustershazbot.js');
const noTerminal = spawnSync('script', ['--version']).error && process.env.SHAZBOT_TEST_ALL !== '1';

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

describe('the command line', () => {
  const list = fileList();
  /** @type {Server[]} */
  let servers = [];
  const own = () => /** @type {Server} */ (servers[0]);
  before(async () => {
    servers = await startServers({ after }, 3, { env: { ...list.env, TEST_ROUTER: 'yes' } });
    await agree(servers, { online: servers });
    await untilGossiped(servers);
    await until(() => list.servers().length === 3, { timeout: 20_000, what: 'all servers are in the master list' });
  });

  /**
   * Runs the command line against the first server.
   *
   * @param {string[]} args
   * @param {Record<string, string>} [env]
   */
  const run = (args, env = {}) =>
    runToEnd([BIN, ...args], {
      env: { SHAZBOT_BASE_URL: own().baseUrl, SHAZBOT_CONTROL_SECRET: CONTROL_SECRET, ...env },
    });

  /**
   * Starts a command that keeps running, in the environment of the first server, and collects its output.
   *
   * @param {import('node:test').TestContext} t
   * @param {string} command
   * @param {string[]} args
   */
  function start(t, command, args) {
    const { baseUrl } = own();
    const settings = { SHAZBOT_BASE_URL: baseUrl, SHAZBOT_CONTROL_SECRET: CONTROL_SECRET, TERM: 'xterm' };
    const child = spawn(command, args, { env: { ...process.env, ...settings }, stdio: 'pipe' });
    t.after(() => child.kill('SIGKILL'));
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.stderr.resume();
    return { child, output: () => text };
  }

  test('list prints all servers, in columns or as JSON', async () => {
    const text = await run(['list']);
    assert.equal(text.code, 0, text.stderr);
    for (const { baseUrl } of servers) assert.match(text.stdout, new RegExp(`^${baseUrl} +online `, 'm'));
    const json = JSON.parse((await run(['list', '--json'])).stdout);
    assert.deepEqual([json.online.length, json.offline.length], [3, 0]);
    const without = await run(['list'], { SHAZBOT_CONTROL_SECRET: '' });
    assert.match(without.stdout, new RegExp(`^NAME +STATE\n${own().baseUrl} +online$`, 'm'));
    assert.match(without.stderr, /SHAZBOT_CONTROL_SECRET is not set/);
  });

  test('status prints how a server sees itself and the others', async () => {
    const { code, stdout } = await run(['status']);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^${own().baseUrl} is online; version 2`));
    assert.match(stdout, /master list file:.*read \d+ s ago, \d servers/);
    assert.equal(JSON.parse((await run(['status', '--json'])).stdout).members.length, 3);
  });

  test('offline drains a server and online puts it back', async () => {
    const others = servers.slice(1);
    assert.equal((await run(['offline'])).code, 0);
    await agree(servers, { online: others, offline: [own()] });
    assert.match((await run(['status'])).stdout, /is drained/);
    assert.deepEqual(JSON.parse((await run(['online', '--json'])).stdout), { baseUrl: own().baseUrl, online: true });
    await agree(servers, { online: servers });
  });

  test('check exits with 0 if enough servers are online, and with 1 if too few are or the server does not answer', async () => {
    assert.equal((await run(['check', '--min-online', '3'])).code, 0);
    const few = await run(['check', '--min-online', '4', '--json']);
    assert.deepEqual(
      [few.code, JSON.parse(few.stdout)],
      [1, { healthy: false, online: 3, minOnline: 4, listsItself: true }],
    );
    const unreachable = await run(['check', '--url', await unusedUrl()]);
    assert.deepEqual([unreachable.code, unreachable.stdout], [1, '']);
    assert.match(unreachable.stderr, /connection refused \(ECONNREFUSED\)/);
  });

  test('check expects the requested URL in the list, or SHAZBOT_BASE_URL if the requested URL is a loopback address', async () => {
    const { baseUrl } = /** @type {Server} */ (servers[1]);
    const isListed = async (/** @type {Record<string, string>} */ env) =>
      JSON.parse((await run(['check', '--json', '--url', baseUrl], env)).stdout).listsItself;
    assert.equal(await isListed({ SHAZBOT_BASE_URL: '' }), true);
    assert.equal(await isListed({ SHAZBOT_BASE_URL: 'http://app-1.internal:3000/' }), false);
    const failed = await run(['check', '--json', '--url', await unusedUrl()]);
    assert.equal(failed.code, 1);
    const { healthy, error } = JSON.parse(failed.stdout);
    assert.deepEqual([healthy, /connection refused/.test(error)], [false, true]);
  });

  test('a wrong secret, wrong usage and a missing status route are reported without a stack trace', async (t) => {
    const refused = await run(['status'], { SHAZBOT_CONTROL_SECRET: 'not this' });
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(refused.stderr, /rejected the request: SHAZBOT_CONTROL_SECRET does not match/);
    for (const args of [
      [],
      ['lists'],
      ['list', 'all'],
      ['list', '--secret', 'x'],
      ['check', '--min-online', 'x'],
      ['check', '--min-online', ''],
      ['list', '--url', 'http://user:secret@127.0.0.1/'],
      ['list', '--url', 'x'],
      ['list', '--where', 'role'],
      ['check', '--where', 'role=api'],
    ]) {
      const { code, stderr } = await run(args);
      assert.equal(code, 2, `${args}: ${stderr}`);
      assert.doesNotMatch(stderr, /\n {4}at /);
    }
    const old = await startServer(t, { env: (await startStore(t)).env, engine: 'v1' });
    const status = await run(['status', '--url', old.baseUrl]);
    assert.deepEqual([status.code, /ready-made/.test(status.stderr)], [1, true]);
    assert.equal((await run(['list', '--url', old.baseUrl])).code, 0, 'version 1 has the list route');
    assert.match((await run(['--help'])).stdout, /Exit code/);
    assert.equal((await run(['--version'])).stdout, `${require('../package.json').version}\n`);
  });

  test('the secret can be read from a file, and no secret is ever printed', async () => {
    const file = path.join(folder(), 'secret');
    writeFileSync(file, `${CONTROL_SECRET}\n`);
    const unset = { SHAZBOT_CONTROL_SECRET: '' };
    assert.equal((await run(['status', '--secret-file', file], unset)).code, 0);
    assert.equal((await run(['status'], { ...unset, SHAZBOT_CONTROL_SECRET_FILE: file })).code, 0);
    assert.equal((await run(['status', '--secret-file', `${file}2`], unset)).code, 2);
    writeFileSync(file, 'another\n');
    assert.ok((await run(['status', '--secret-file', file])).stderr.includes(`the secret in ${file} does not match`));
    writeFileSync(file, '\n');
    assert.match((await run(['status', '--secret-file', file])).stderr, /the file is empty/);
    const all = environment(own().baseUrl);
    for (const args of [['status'], ['doctor'], ['doctor', '--json']]) {
      const { stdout, stderr } = await run(args, { ...all, ...list.env });
      for (const secret of [SECRET, CONTROL_SECRET]) assert.ok(!(stdout + stderr).includes(secret));
    }
  });

  test("control characters in a server's answer do not reach the terminal", async (t) => {
    const peer = await startFakePeer(t);
    peer.answer = () => ({ body: { online: [{ baseUrl: 'http://a/\x1b[2J', monitor: false, lastUpdate: 1 }] } });
    const { stdout } = await run(['list', '--url', peer.baseUrl]);
    assert.ok(stdout.includes('http://a/?[2J') && !stdout.includes('\x1b'), stdout);
    const members = [{ baseUrl: 'http://a/', state: 'online', version: '\x1b[31m', lastUpdate: 1 }];
    peer.answer = () => ({ body: { members, masterLists: [], exchanges: { out: {} } } });
    const status = await run(['status', '--url', peer.baseUrl]);
    assert.ok(status.stdout.includes('?[31m') && !status.stdout.includes('\x1b'), status.stdout);
    peer.answer = () => ({ status: 500, body: { error: '\x1b]0;title\x07' } });
    for (const command of ['list', 'watch']) {
      const { stderr } = await run([command, '--url', peer.baseUrl]);
      assert.ok(stderr.includes('?]0;title?') && !stderr.includes('\x1b'), stderr);
    }
  });

  test('a secret that a server sends back is not printed', async (t) => {
    const peer = await startFakePeer(t);
    const settings = { SHAZBOT_SECRET: SECRET, SHAZBOT_MASTER_LIST_AUTH: 'Bearer store-secret' };
    const all = [SECRET, CONTROL_SECRET, settings.SHAZBOT_MASTER_LIST_AUTH];
    const text = all.join(' and ');
    const list = { online: [{ baseUrl: `http://a/${text}`, monitor: false, lastUpdate: 1 }] };
    for (const answer of [{ body: list }, { status: 500, body: { error: text } }]) {
      peer.answer = () => answer;
      for (const args of [
        ['list'],
        ['list', '--json'],
        ['check'],
        ['status'],
        ['status', '--json'],
        ['doctor', '--json'],
      ]) {
        const { stdout, stderr } = await run([...args, '--url', peer.baseUrl], settings);
        for (const secret of all) assert.ok(!(stdout + stderr).includes(secret), `${args}: ${stdout}${stderr}`);
      }
    }
    const { stderr } = await run(['watch', '--url', peer.baseUrl], settings);
    assert.match(stderr, /answered 500: \*\*\* and \*\*\* and \*\*\*$/m);
  });

  test("line breaks and invisible characters in a server's answer are escaped", async (t) => {
    const peer = await startFakePeer(t);
    // A line break, C1 controls, a change of the writing direction, a space without width, and a letter that is not shown.
    const unsafe = ['\n', '\x9b31m', '\u202e', '\u200b', '\u2028', '\u3164', '\u{e0041}'];
    const error = `broken${unsafe.join('')}`;
    peer.answer = () => ({ status: 500, body: { error } });
    const text = await run(['list', '--url', peer.baseUrl]);
    assert.equal(text.stderr.trim().split('\n').length, 1);
    assert.ok(text.stderr.includes('broken??31m?????'), text.stderr);
    const json = await run(['list', '--json', '--url', peer.baseUrl]);
    assert.ok(JSON.parse(json.stdout).error.endsWith(error));
    for (const character of unsafe.slice(1)) assert.ok(!json.stdout.includes(character), JSON.stringify(character));
    assert.doesNotMatch(json.stdout, /[\x80-\x9f]/);
  });

  test('an answer of an unexpected shape is reported in one sentence', async (t) => {
    const peer = await startFakePeer(t);
    for (const body of [
      {},
      [],
      { online: 'all' },
      { online: [null] },
      { online: [], offline: null },
      { members: [{ baseUrl: 1 }] },
      { members: [{ baseUrl: 'http://a/', lastError: 5 }], masterLists: [], exchanges: { out: {} } },
      { members: [], masterLists: [], exchanges: { out: {} }, warnings: [null] },
    ]) {
      peer.answer = () => ({ body });
      for (const command of ['list', 'status', 'watch', 'check']) {
        const { code, stderr } = await run([command, '--url', peer.baseUrl]);
        assert.deepEqual([code, stderr.trim().split('\n').length], [1, 1], stderr);
      }
    }
  });

  test('a command ends without an error when the reader closes the pipe', async (t) => {
    const peer = await startFakePeer(t);
    const online = Array.from({ length: 5_000 }, (_, at) => ({ baseUrl: `http://app-${at}/`, lastUpdate: 1 }));
    peer.answer = () => (res) => {
      if (res.req.url?.endsWith('/status')) res.writeHead(404).end('{}');
      else res.end(JSON.stringify({ online, offline: [] }));
    };
    for (const command of ['list', 'watch']) {
      const shell = `"${process.execPath}" "${BIN}" ${command} --url ${peer.baseUrl} | head -1; exit "\${PIPESTATUS[0]}"`;
      const child = spawn('bash', ['-c', shell], { stdio: ['ignore', 'pipe', 'pipe'] });
      let errors = '';
      child.stderr.on('data', (chunk) => {
        errors += chunk;
      });
      child.stdout.resume();
      const code = await new Promise((resolve) => child.once('close', resolve));
      assert.deepEqual([code, errors], [0, ''], command);
    }
  });

  test('watch prints a line for each change if its output is not a terminal', async (t) => {
    const { child, output } = start(t, process.execPath, [BIN, 'watch']);
    const last = /** @type {Server} */ (servers[2]);
    await until(() => output().split('\n').length > 3, { what: 'watch shows the three servers' });
    await last.drain();
    await until(() => output().includes(`drained  ${last.baseUrl}`), { what: 'watch shows the drain' });
    await last.undrain();
    child.kill('SIGTERM');
    await until(() => child.exitCode === 0, { what: 'watch ends' });
    await agree(servers, { online: servers });
  });

  test('watch draws a live table on a terminal, marks changes, and restores the terminal', {
    skip: noTerminal,
  }, async (t) => {
    const command = `stty cols 80 rows 20; exec '${process.execPath}' '${BIN}' watch`;
    const { child, output } = start(t, 'script', ['-qefc', command, '/dev/null']);
    await until(() => output().includes('3 of 3 online'), { what: 'watch shows the three servers' });
    const last = /** @type {Server} */ (servers[2]);
    await last.drain();
    await until(() => output().includes('2 of 3 online') && output().includes('\x1b[7mdrained'), {
      what: 'watch marks the drain',
    });
    await last.undrain();
    child.stdin.write('\x03');
    await until(() => child.exitCode !== null, { what: 'watch ends' });
    assert.ok(output().trimEnd().endsWith('\x1b[?25h\x1b[?1049l'), 'the cursor and the main screen are restored');
    await agree(servers, { online: servers });
  });

  test('demo is rejected with an explanation if an option precedes it', async () => {
    const { code, stderr } = await run(['--json', 'demo']);
    assert.deepEqual([code, stderr], [2, 'demo must be the first argument; see demo --help for its options\n']);
  });

  test('a connection that closes without a complete answer is an error', async (t) => {
    const peer = await startFakePeer(t, {
      answer: () => (res) => res.socket?.end('HTTP/1.1 101 No\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
    });
    for (const command of ['check', 'offline']) {
      const { code, stderr } = await run([command, '--url', peer.baseUrl]);
      assert.deepEqual([code, /connection reset before an answer came \(ECONNRESET\)/.test(stderr)], [1, true], stderr);
    }
  });

  test('watch --json prints each server with its state, and reports servers that are no longer listed', async (t) => {
    const peer = await startFakePeer(t);
    let online = [{ baseUrl: 'http://a/', monitor: true, lastUpdate: 1 }];
    peer.answer = () => (res) => {
      if (res.req.url?.endsWith('/status')) res.writeHead(404).end('{}');
      else res.end(JSON.stringify({ online, offline: [] }));
    };
    const { output } = start(t, process.execPath, [BIN, 'watch', '--json', '--url', peer.baseUrl]);
    await until(() => output().includes('"server":"http://a/","state":"online"'), { what: 'watch prints the server' });
    online = [];
    await until(() => output().includes('"server":"http://a/","state":"forgotten"'), {
      what: 'watch reports that the server is forgotten',
    });
    await peer.stop();
    await until(() => /"error":".*connection refused/.test(output()), { what: 'watch reports the error' });
  });

  test('list, status and watch show only the servers that --where names, and the tags that --tags names', async (t) => {
    const peer = await startFakePeer(t);
    const member = (/** @type {string} */ name, /** @type {object} */ tags) => ({
      baseUrl: `http://${name}/`,
      monitor: false,
      state: 'online',
      protocol: 2,
      lastUpdate: 1,
      ...tags,
    });
    const members = [
      member('a', { tags: { role: 'api', zone: 'eu-1a' } }),
      member('b', { tags: { role: 'api', zone: 'eu-1b\x1b[2J' } }),
      { ...member('c', { tags: { role: 'api', zone: 'eu-1c' } }), state: 'offline', since: 1 },
      member('d', { tags: { role: 'web', zone: 'eu-1a' } }),
      member('e', {}),
      member('f', { tags: null }),
    ];
    peer.answer = () => ({ body: { members, masterLists: [], exchanges: { out: {} } } });
    const ask = (/** @type {string[]} */ ...args) => run([...args, '--url', peer.baseUrl]);
    const servers = (/** @type {string} */ text) =>
      [...text.matchAll(/^http:\/\/(.)\/ /gm)].map((it) => it[1]).join('');
    const { stdout } = await ask('list', '--where', 'role=api', '--tags', 'zone,note');
    assert.match(stdout, /^NAME +STATE +zone +note$/m);
    assert.equal(servers(stdout), 'abc');
    assert.match(stdout, /a\/ +online +eu-1a$/m);
    assert.ok(stdout.includes('eu-1b?[2J') && !stdout.includes('\x1b'));
    assert.equal(servers((await ask('list', '--where', 'zone=eu-1a,zone=eu-1c')).stdout), 'adc');
    assert.equal(servers((await ask('list', '--where', 'role=api', '--where', 'zone=eu-1a')).stdout), 'a');
    const json = JSON.parse((await ask('list', '--json', '--where', 'zone=eu-1c')).stdout);
    assert.deepEqual(json, {
      online: [],
      offline: [{ baseUrl: 'http://c/', monitor: false, lastUpdate: 1, tags: { role: 'api', zone: 'eu-1c' } }],
    });
    assert.match((await ask('status', '--tags', 'role')).stdout, /d\/ +online +web$/m);
    const { output } = start(t, process.execPath, [
      BIN,
      'watch',
      '--where',
      'role=web',
      '--tags',
      'zone',
      '--url',
      peer.baseUrl,
    ]);
    await until(() => output().includes('http://d/ zone=eu-1a'), { what: 'watch shows the server with its tag' });
    /** @type {any} */ (members[3]).tags.zone = 'eu-1b';
    await until(() => output().includes('http://d/ zone=eu-1b'), { what: 'watch shows the new tag' });
    assert.ok(!output().includes('http://a/'));
  });
});
