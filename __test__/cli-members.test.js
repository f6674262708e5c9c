'use strict';

// The command line: the table of members, drain, the help of each command and the options that all share.

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const { writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { certificates, missing } = require('../harness/certificates.js');
const { startFakePeer, unusedUrl } = require('../harness/fake-peer.js');
const { folder } = require('../harness/folder.js');
const { statusOf: largeStatus } = require('../harness/page-status.js');
const { until } = require('../harness/until.js');
const { AT, MEMBERS, serverWith, statusOf } = require('./support/made-up-status.js');
const { root, runToEnd } = require('./support/programs.js');

const BIN = path.join(root, 'bin', 'clustershazbot.js');
const COMMANDS = [
  'members',
  'status',
  'explain',
  'doctor',
  'check',
  'watch',
  'list',
  'owner',
  'pick',
  'drain',
  'undrain',
];
const noTerminal = spawnSync('script', ['--version']).error && process.env.SHAZBOT_TEST_ALL !== '1';
/** @param {string[]} args @param {Record<string, string>} [env] */
const run = (args, env = {}) =>
  runToEnd([BIN, ...args], { env: { SHAZBOT_CONTROL_SECRET: 'the-control-secret', ...env } });

/**
 * Runs a shell command on a terminal of its own, without colours.
 * @param {import('node:test').TestContext} t
 * @param {string} command
 */
function onTerminal(t, command) {
  const env = { ...process.env, SHAZBOT_CONTROL_SECRET: 'x', TERM: 'xterm', NO_COLOR: '1' };
  const child = spawn('script', ['-qefc', command, '/dev/null'], { env, stdio: 'pipe' });
  t.after(() => child.kill('SIGKILL'));
  const output = { text: '' };
  child.stdout.on('data', (chunk) => {
    output.text += chunk;
  });
  return output;
}

describe('members', () => {
  test('shows the name first, the state, for how long, why, the version and when it was seen', async (t) => {
    const { baseUrl } = await serverWith(t, statusOf(MEMBERS));
    const { stdout } = await run(['members', '--url', baseUrl]);
    const [head, a, b, c, ...note] = stdout.trimEnd().split('\n');
    assert.match(String(head), /^NAME {2,}STATE {2,}FOR {2,}WHY {2,}VERSION {2,}SEEN$/);
    assert.match(String(a), /^http:\/\/a:3000\/ {2}online {3}2 min +2\.1\.0$/);
    assert.match(String(b), /^http:\/\/b:3000\/ {2}drained {2}10 min +2\.0\.0 +2 s ago$/);
    assert.match(String(c), /^http:\/\/c:3000\/ {2}failed {3}36 s +.*connection refused.* +2\.0\.0 +2 s ago$/);
    assert.deepEqual(note, ['', '1 left in order (--all shows them)']);
  });

  test('selects by state and tags, sorts by a column, and prints wide or JSON', async (t) => {
    const { baseUrl } = await serverWith(t, statusOf(MEMBERS));
    const ask = async (/** @type {string[]} */ ...args) => (await run(['members', '--url', baseUrl, ...args])).stdout;
    const names = (/** @type {string} */ text) => [...text.matchAll(/^http:\/\/(.):/gm)].map((it) => it[1]).join('');
    assert.equal(names(await ask('--state', 'failed,left')), 'cd');
    assert.equal(names(await ask('--state', 'failed', '--state', 'online')), 'ac');
    assert.equal(names(await ask('--all', '--sort', 'for')), 'dcab', 'the latest change is first');
    assert.equal(names(await ask('--all', '--sort', 'name')), 'abcd');
    assert.equal(names(await ask('--where', 'role=api')), 'a');
    assert.match(await ask('-o', 'wide'), /SEEN +ROLE +PROTOCOL +FAILURES +FOUND BY\n.* this +2 +0$/m);
    for (const format of [['-o', 'json'], ['--json']]) {
      const { members, at } = JSON.parse(await ask('--state', 'failed', ...format));
      assert.deepEqual([members, at], [[MEMBERS[1]], AT]);
    }
    for (const wrong of [['--state', 'dead'], ['--sort', 'age'], ['-o', 'yaml'], ['--min-online', '1'], ['extra']]) {
      const { code, stderr } = await run(['members', '--url', baseUrl, ...wrong]);
      assert.deepEqual([code, stderr.trim().split('\n').length], [2, 1], stderr);
    }
  });

  test('leaves out what an older server does not tell', async (t) => {
    const old = MEMBERS.map(({ changedAt, version, heard, failures, ...rest }) => rest);
    const { baseUrl } = await serverWith(t, statusOf(old));
    const { stdout } = await run(['members', '--state', 'online,drained', '--url', baseUrl]);
    assert.equal(stdout, 'NAME            STATE\nhttp://a:3000/  online\nhttp://b:3000/  drained\n');
    const first = await startFakePeer(t, {
      answer: () => (res) => {
        if (res.req.url?.endsWith('/list')) res.end('{"online":[{"baseUrl":"http://a:3000/"}],"offline":[]}');
        else res.writeHead(404).end('Cannot GET');
      },
    });
    assert.equal(
      (await run(['members', '--url', first.baseUrl])).stdout,
      'NAME            STATE\nhttp://a:3000/  online\n',
    );
  });

  test('cuts names and reasons only on a terminal that is too narrow', { skip: noTerminal }, async (t) => {
    const long = `http://${'a'.repeat(70)}:3000/`;
    const { baseUrl } = await serverWith(t, statusOf([{ ...MEMBERS[3], baseUrl: long }]));
    const narrow = `stty cols 60 rows 20; exec '${process.execPath}' '${BIN}' members --url ${baseUrl}`;
    const output = onTerminal(t, narrow);
    await until(() => output.text.split('\n').length > 2, { what: 'members prints the table' });
    const line = output.text.split(/\r?\n/)[1] ?? '';
    assert.match(line, /^http:\/\/a+… {2}online {2}2 min {2}2\.1\.0$/);
    assert.ok(line.length <= 60, line);
    assert.ok((await run(['members', '--url', baseUrl])).stdout.includes(long));
  });

  test('--watch prints a line for each change if its output is not a terminal', async (t) => {
    const { baseUrl } = await serverWith(t, statusOf(MEMBERS));
    const { stdout } = await runToEnd([BIN, 'members', '--watch', '--state', 'failed', '--url', baseUrl], {
      env: { SHAZBOT_CONTROL_SECRET: 'x' },
      timeout: 1_500,
    });
    assert.match(stdout, /^\S+Z failed {3}http:\/\/c:3000\/\n$/);
  });

  test('servers that left in order are folded, and shown with --all', async (t) => {
    const status = largeStatus(60, Date.now());
    const left = status.members.filter(({ reason }) => reason === 'left').map(({ baseUrl }) => baseUrl);
    const lists = {
      online: status.members.filter(({ state }) => state !== 'offline'),
      offline: status.members.filter(({ state }) => state === 'offline'),
    };
    const peer = await startFakePeer(t);
    peer.answer = () => (res) => res.end(JSON.stringify(res.req.url?.endsWith('/status') ? status : lists));
    for (const command of ['list', 'status']) {
      const folded = (await run([command, '--url', peer.baseUrl])).stdout;
      assert.ok(folded.endsWith(`\n${left.length} left in order (--all shows them)\n`), folded);
      for (const url of left) assert.ok(!folded.includes(url), url);
      assert.match(folded, /failed|offline/);
      const all = (await run([command, '--all', '--url', peer.baseUrl])).stdout;
      const last = all.trimEnd().split('\n').slice(-left.length);
      for (const line of last) assert.match(line, /^\S+ +left /, 'they are below all others');
      assert.ok(!all.includes('--all'));
      const json = (await run([command, '--json', '--url', peer.baseUrl])).stdout;
      for (const url of left) assert.ok(json.includes(url), 'JSON has all');
    }
    if (noTerminal) return;
    const command = `stty cols 120 rows 20; exec '${process.execPath}' '${BIN}' watch --url ${peer.baseUrl}`;
    const output = onTerminal(t, command);
    const title = `${lists.online.length} of ${60 - left.length} online`;
    await until(() => output.text.includes(title), { what: `watch says ${title}` });
  });

  test('status shows the warnings that hold now above everything else', async (t) => {
    const warnings = [{ code: 'SHAZBOT_ALONE', message: 'it knows no\x1b other server', since: AT - 90_000 }];
    const { baseUrl } = await serverWith(t, statusOf(MEMBERS, { warnings }));
    const { stdout } = await run(['status', '--url', baseUrl]);
    assert.ok(stdout.startsWith('warning SHAZBOT_ALONE for 2 min: it knows no? other server\n'), stdout);
    const json = JSON.parse((await run(['status', '--json', '--url', baseUrl])).stdout);
    assert.deepEqual(json.warnings, warnings);
  });
});

describe('the commands', () => {
  test('each has its own help, with usage, options, exit codes and an example', async () => {
    const general = (await run(['--help'])).stdout;
    assert.equal((await run(['help'])).stdout, general);
    for (const command of COMMANDS) {
      assert.match(general, new RegExp(`^ {2}${command}\\b`, 'm'));
      const { code, stdout } = await run(['help', command]);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^clustershazbot ${command}\\b.*\\[options\\]\\n`));
      assert.match(stdout, /\nOptions:\n(.|\n)*--url URL(.|\n)*\nExit code: (.|\n)*\nExample:\n {2}\S/);
      assert.equal((await run([command, '--help'])).stdout, stdout);
    }
    for (const program of ['demo', 'dev', 'master-list']) {
      assert.match(general, new RegExp(`^ {2}${program}\\b`, 'm'));
      assert.equal((await run(['help', program])).stdout, (await run([program, '--help'])).stdout);
    }
    assert.equal((await run(['help', 'nonsense'])).code, 2);
    assert.match((await run(['help', 'offline'])).stdout, /^clustershazbot drain/);
  });

  test('drain and undrain take a URL, and have the older names offline and online', async (t) => {
    /** @type {any[]} */
    const bodies = [];
    const peer = await startFakePeer(t, {
      answer: ({ body }) => {
        bodies.push(body.online);
        return { body: { success: true } };
      },
    });
    const drained = await run(['drain', peer.baseUrl]);
    assert.match(drained.stdout, /is drained: .*"undrain"/);
    for (const command of ['undrain', 'offline', 'online']) {
      const { stdout } = await run([command, '--json', '--url', peer.baseUrl]);
      assert.deepEqual(JSON.parse(stdout), { baseUrl: peer.baseUrl, online: command !== 'offline' });
    }
    assert.deepEqual(bodies, [false, true, false, true]);
  });

  test('undrain says whether the server was drained', async (t) => {
    for (const [state, expected] of /** @type {const} */ ([
      ['drained', /is online again/],
      ['online', /was not drained: it stays online/],
    ])) {
      const { baseUrl } = await startFakePeer(t, {
        answer: () => (res) =>
          res.end(JSON.stringify(res.req.url?.endsWith('/status') ? statusOf([], { state }) : { success: true })),
      });
      assert.match((await run(['undrain', baseUrl])).stdout, expected);
    }
  });

  test('--env-file is read as Node reads it: the environment wins, then the last file', async (t) => {
    const { baseUrl } = await serverWith(t, statusOf(MEMBERS));
    const file = (/** @type {string} */ name, /** @type {string} */ text) => {
      const it = path.join(folder(), name);
      writeFileSync(it, text);
      return it;
    };
    const first = file('first', `SHAZBOT_BASE_URL=${await unusedUrl()}\nSHAZBOT_CONTROL_SECRET="the # secret"\n`);
    const second = file('second', `export SHAZBOT_BASE_URL='${baseUrl}' # comment\n`);
    const both = ['members', '--env-file', first, '--env-file', second];
    assert.equal((await run(both)).code, 0);
    assert.equal((await run(both, { SHAZBOT_BASE_URL: await unusedUrl() })).code, 1);
    assert.equal((await runToEnd([`--env-file=${second}`, BIN, 'members'])).code, 0);
    const unread = await run(['members', '--env-file=/nope/.env']);
    // Some versions of Node read the option themselves, although it stands after the program.
    assert.ok(unread.code === 2 || unread.code === 9, unread.stderr);
    assert.match(unread.stderr, /\/nope\/\.env/);
  });

  test('--env-file can name the authority that has signed the certificates', { skip: missing }, async (t) => {
    const { key, cert, authority } = certificates();
    const peer = await startFakePeer(t, { tls: { key, cert }, answer: () => ({ body: { online: [] } }) });
    const file = path.join(folder(), '.env');
    writeFileSync(file, `NODE_EXTRA_CA_CERTS=${authority}\nSHAZBOT_BASE_URL=${peer.baseUrl}\n`);
    const { code, stdout, stderr } = await run(['check', '--min-online', '0', '--env-file', file]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^healthy/);
    assert.match(
      (await run(['check', '--url', peer.baseUrl])).stderr,
      /\(UNABLE_TO_\w+\)\. Add the certificate of its issuer/,
    );
  });

  test("an error has the system's code and what to do", async (t) => {
    const url = await unusedUrl();
    const { code, stdout, stderr } = await run(['members', '--json', '--url', url]);
    assert.equal(code, 1);
    assert.equal(JSON.parse(stdout).code, 'ECONNREFUSED');
    for (const args of [
      ['-o', 'json'],
      ['--json', '--watch'],
    ]) {
      assert.equal(JSON.parse((await run(['members', ...args, '--url', url])).stdout).code, 'ECONNREFUSED');
    }
    assert.match(
      stderr,
      /connection refused \(ECONNREFUSED\)\. Nothing listens on 127\.0\.0\.1:\d+\. Start the program/,
    );
    const silent = await startFakePeer(t, { answer: () => 'hang' });
    const stopped = await run(['members', '--timeout', '0.3', '--url', silent.baseUrl]);
    assert.match(stopped.stderr, /stopped or blocked: connected, no answer in 0.3 s \(SHAZBOT_NO_ANSWER\)/);
    const guarded = await startFakePeer(t, { answer: () => ({ status: 401, body: { message: 'Unauthorized' } }) });
    const guard = await run(['members', '--url', guarded.baseUrl]);
    assert.match(guard.stderr, /answered 401: Unauthorized\. Exempt the paths below \/clustershazbot/);
    assert.doesNotMatch(guard.stderr, /SHAZBOT_CONTROL_SECRET/, 'a guard of the program is not our own answer');
  });
});
