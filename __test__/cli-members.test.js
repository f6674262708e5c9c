'use strict';

// The command line: the table of members, explain, drain, the help of each command and the options that all share.

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const { writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { startFakePeer, unusedUrl } = require('../harness/fake-peer.js');
const { folder } = require('../harness/folder.js');
const { conclusion } = require('../lib/cli/conclusion.js');
const { root, runToEnd } = require('./support/programs.js');

const BIN = path.join(root, 'bin', 'clustershazbot.js');
const COMMANDS = ['members', 'status', 'explain', 'doctor', 'check', 'watch', 'list', 'drain', 'undrain'];
const noTerminal = spawnSync('script', ['--version']).error && process.env.SHAZBOT_TEST_ALL !== '1';
const AT = 1_000_000_000_000;

/** @param {string[]} args @param {Record<string, string>} [env] */
const run = (args, env = {}) =>
  runToEnd([BIN, ...args], { env: { SHAZBOT_CONTROL_SECRET: 'the-control-secret', ...env } });

/** @param {string} name @param {object} [more] */
const member = (name, more) => ({
  baseUrl: `http://${name}:3000/`,
  monitor: false,
  state: 'online',
  protocol: 2,
  lastUpdate: AT,
  since: AT - 1e6,
  changedAt: AT - 120_000,
  heard: AT - 2_000,
  failures: 0,
  version: '2.0.0',
  ...more,
});

const refused = { code: 'ECONNREFUSED', message: 'connection refused', at: AT - 3_000 };
const MEMBERS = [
  member('d', { state: 'offline', reason: 'left', changedAt: AT - 7_000 }),
  member('c', { state: 'offline', reason: 'failed', by: 'http://a:3000/', lastError: refused, changedAt: AT - 36_000 }),
  member('b', { state: 'offline', reason: 'drained', changedAt: AT - 600_000 }),
  member('a', { version: '2.1.0', tags: { role: 'api' }, heard: undefined }),
];

/** @param {any[]} members @param {object} [more] */
const statusOf = (members, more) => ({
  baseUrl: 'http://a:3000/',
  state: 'online',
  monitor: false,
  version: '2.0.0',
  at: AT,
  startedAt: AT - 1e6,
  interval: 30,
  members,
  masterLists: [],
  recent: [],
  exchanges: { out: { answered: 1, refused: 0, timedOut: 0, unreachable: 0, rejected: 0, failed: 0 } },
  ...more,
});

/** @param {import('node:test').TestContext} t @param {object} status */
async function serverWith(t, status) {
  return startFakePeer(t, {
    answer: () => (res) => {
      const isStatus = res.req.url?.endsWith('/status');
      res.end(JSON.stringify(isStatus ? status : { online: [{ baseUrl: 'http://a:3000/' }] }));
    },
  });
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
    const child = spawn('script', ['-qefc', narrow, '/dev/null'], {
      env: { ...process.env, SHAZBOT_CONTROL_SECRET: 'x', NO_COLOR: '1' },
    });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    await new Promise((resolve) => child.once('close', resolve));
    const line = text.split(/\r?\n/)[1] ?? '';
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

  test('status shows the warnings that hold now above everything else', async (t) => {
    const warnings = [{ code: 'SHAZBOT_ALONE', message: 'it knows no\x1b other server', since: AT - 90_000 }];
    const { baseUrl } = await serverWith(t, statusOf(MEMBERS, { warnings }));
    const { stdout } = await run(['status', '--url', baseUrl]);
    assert.ok(stdout.startsWith('warning SHAZBOT_ALONE for 2 min: it knows no? other server\n'), stdout);
    const json = JSON.parse((await run(['status', '--json', '--url', baseUrl])).stdout);
    assert.deepEqual(json.warnings, warnings);
  });
});

describe('explain', () => {
  test('shows what each server says of a member, and concludes what is wrong', async (t) => {
    const target = await unusedUrl();
    const failing = member('x', {
      baseUrl: target,
      state: 'offline',
      reason: 'failed',
      by: 'http://a:3000/',
      lastError: refused,
      heard: AT - 130_000,
    });
    const online = member('x', { baseUrl: target });
    const ahead = Date.now() + 120_000;
    const one = await serverWith(t, statusOf([failing], { at: ahead }));
    const two = await serverWith(t, statusOf([online], { at: Date.now() }));
    const gone = await unusedUrl();
    const first = await serverWith(
      t,
      statusOf([
        failing,
        { ...online, baseUrl: one.baseUrl },
        { ...online, baseUrl: two.baseUrl },
        { ...online, baseUrl: gone },
      ]),
    );
    const { code, stdout } = await run(['explain', target, '--url', first.baseUrl]);
    assert.equal(code, 0);
    assert.match(stdout, /^SERVER +STATE +FOR +WHY +FOUND BY +LAST ERROR +CLOCK +VERSION$/m);
    assert.match(
      stdout,
      new RegExp(`^${one.baseUrl} +failed .* http://a:3000/ +ECONNREFUSED .* \\+2 min +2\\.0\\.0$`, 'm'),
    );
    assert.match(stdout, new RegExp(`^${two.baseUrl} +online .* (0|-\\d\\.\\d) s +2\\.0\\.0$`, 'm'));
    assert.match(stdout, new RegExp(`^${gone} +no answer +connection refused \\(ECONNREFUSED\\)$`, 'm'));
    const { hostname, port } = new URL(target);
    const conclusion = `2 of 3 servers cannot reach it: connection refused (ECONNREFUSED). 1 server reaches it: look for what is between it and the others. Nothing listens on ${hostname}:${port}.`;
    assert.ok(stdout.includes(`\n\n${conclusion}`), stdout);
    const only = await run(['explain', target, '--ask', one.baseUrl, '--ask', two.baseUrl, '--json']);
    const { asked, direct } = JSON.parse(only.stdout);
    assert.deepEqual(asked[0].member, failing);
    assert.ok(Math.abs(asked[0].clockAhead - 120_000) < 20_000, asked[0].clockAhead);
    assert.deepEqual([asked.length, direct.code], [2, 'ECONNREFUSED']);
  });

  test('sends the control secret only to servers whose list route answers', async (t) => {
    /** @type {string[]} */
    const received = [];
    const stranger = await startFakePeer(t, {
      answer: ({ authorization }) => {
        received.push(String(authorization));
        return { body: '<html>', status: 200 };
      },
    });
    const first = await serverWith(t, statusOf([member('x', { baseUrl: stranger.baseUrl }), member('y')]));
    await run(['explain', 'http://y:3000/', '--url', first.baseUrl]);
    assert.deepEqual(received, ['undefined']);
  });

  test('fails with a sentence if it gets no URL, or nobody answers', async () => {
    const own = await unusedUrl();
    for (const [args, expected] of /** @type {const} */ ([
      [['explain'], 2],
      [['explain', 'app-3'], 2],
      [['explain', own, '--ask', 'x'], 2],
      [['explain', own, '--url', own], 1],
      [['explain', own, '--ask', own], 1],
    ])) {
      const { code, stderr } = await run([...args]);
      assert.equal(code, expected, stderr);
      assert.doesNotMatch(stderr, /\n {4}at /);
    }
  });

  const url = new URL('http://app-3:3000/');
  const failed = (/** @type {string} */ code) => ({
    ...MEMBERS[1],
    heard: AT - 40_000,
    lastError: { code, message: `text of ${code}`, at: AT },
  });
  const answers = { answers: true };
  const silent = { answers: false, problem: { code: 'ECONNREFUSED', text: 'connection refused (ECONNREFUSED)' } };
  for (const [name, members, direct, expected] of /** @type {[string, any[], any, RegExp][]} */ ([
    [
      'refused',
      [failed('ECONNREFUSED')],
      silent,
      /^1 of 1 server cannot reach it: connection refused .* Nothing listens on app-3:3000\./,
    ],
    ['stopped', [failed('SHAZBOT_NO_ANSWER')], silent, /connected, but no answer .* stopped \(SIGSTOP/],
    ['cut off', [failed('ETIMEDOUT')], silent, /no connection .* firewall/],
    [
      'certificate',
      [failed('CERT_HAS_EXPIRED')],
      silent,
      /certificate has expired .* Renew the certificate of app-3:3000/,
    ],
    ['prefix', [failed('HTTP_404')], silent, /routes are not there .* global prefix such as \/api/],
    [
      'it still sends messages',
      [{ ...failed('ETIMEDOUT'), heard: AT }],
      silent,
      /no connection .* It still sends messages, so it runs: only the way to this URL is closed\. .*firewall/,
    ],
    ['an unknown code', [failed('ESTRANGE')], answers, /cannot reach it: text of ESTRANGE\. It answers here/],
    ['online', [MEMBERS[3], MEMBERS[3]], answers, /^All 2 servers list it online\.$/],
    [
      'online, not reached from here',
      [MEMBERS[3]],
      silent,
      /^1 server lists it online\. From here: connection refused/,
    ],
    ['drained', [MEMBERS[2], MEMBERS[2]], answers, /^It is drained: "clustershazbot undrain http:\/\/app-3:3000\/"/],
    ['left', [MEMBERS[0]], silent, /^It left in order/],
    ['not listed', [undefined, undefined], answers, /^None of 2 servers lists it\. It answers here: SHAZBOT_SECRET/],
    ['nobody answers', [], silent, /^None of the servers answers\. From here: connection refused/],
  ])) {
    test(`concludes what is wrong: ${name}`, () => {
      const views = members.map((member, i) => ({ baseUrl: `http://${i}/`, at: AT, ...(member && { member }) }));
      assert.match(conclusion(url, views, direct), expected);
    });
  }
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
    const missing = await run(['members', '--env-file=/nope/.env']);
    // Some versions of Node read the option themselves, although it stands after the program.
    assert.ok(missing.code === 2 || missing.code === 9, missing.stderr);
    assert.match(missing.stderr, /\/nope\/\.env/);
  });

  test("an error has the system's code and what to do", async (t) => {
    const url = await unusedUrl();
    const { code, stdout, stderr } = await run(['members', '--json', '--url', url]);
    assert.equal(code, 1);
    assert.equal(JSON.parse(stdout).code, 'ECONNREFUSED');
    assert.match(
      stderr,
      /connection refused \(ECONNREFUSED\)\. Nothing listens on 127\.0\.0\.1:\d+\. Start the program/,
    );
    const silent = await startFakePeer(t, { answer: () => 'hang' });
    const stopped = await run(['members', '--timeout', '0.3', '--url', silent.baseUrl]);
    assert.match(stopped.stderr, /connected, but no answer \(SHAZBOT_NO_ANSWER\)/);
    const guarded = await startFakePeer(t, { answer: () => ({ status: 401, body: { message: 'Unauthorized' } }) });
    const guard = await run(['members', '--url', guarded.baseUrl]);
    assert.match(guard.stderr, /answered 401: Unauthorized/);
    assert.doesNotMatch(guard.stderr, /SHAZBOT_CONTROL_SECRET/, 'a guard of the program is not our own answer');
  });
});
