'use strict';

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const { mkdirSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');

const {
  CONTROL_SECRET,
  SECRET,
  acquainted,
  agree,
  environment,
  fileList,
  startServer,
  startServers,
} = require('./support/cluster.js');
const { nobody, startFakePeer } = require('./support/fake-peer.js');
const { folder } = require('./support/folder.js');
const { root, runToEnd } = require('./support/programs.js');
const { startStore } = require('./support/store.js');
const { until } = require('./support/until.js');
const { rowsOfStatus } = require('../lib/cli/show.js');

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
    await acquainted(servers);
    await until(() => list.servers().length === 3, { timeout: 20_000, what: 'all are in the master list' });
  });

  /**
   * @param {string[]} args
   * @param {Record<string, string>} [env]
   */
  const run = (args, env = {}) =>
    runToEnd([BIN, ...args], {
      env: { SHAZBOT_BASE_URL: own().baseUrl, SHAZBOT_CONTROL_SECRET: CONTROL_SECRET, ...env },
    });

  test('list shows all servers, in columns and as JSON', async () => {
    const text = await run(['list']);
    assert.equal(text.code, 0, text.stderr);
    for (const { baseUrl } of servers) assert.match(text.stdout, new RegExp(`^online +\\d+ s +${baseUrl}$`, 'm'));
    const json = JSON.parse((await run(['list', '--json'])).stdout);
    assert.deepEqual([json.online.length, json.offline.length], [3, 0]);
    const without = await run(['list'], { SHAZBOT_CONTROL_SECRET: '' });
    assert.match(without.stderr, /SHAZBOT_CONTROL_SECRET is not set/);
  });

  test('status shows how a server sees itself and the others', async () => {
    const { code, stdout } = await run(['status']);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^${own().baseUrl} is online; version 2`));
    assert.match(stdout, /master list file:.*read \d+ s ago, \d servers/);
    assert.equal(JSON.parse((await run(['status', '--json'])).stdout).members.length, 3);
  });

  test('offline drains and online takes back', async () => {
    const others = servers.slice(1);
    assert.equal((await run(['offline'])).code, 0);
    await agree(servers, { online: others, offline: [own()] });
    assert.match((await run(['status'])).stdout, /is drained/);
    assert.deepEqual(JSON.parse((await run(['online', '--json'])).stdout), { baseUrl: own().baseUrl, online: true });
    await agree(servers, { online: servers });
  });

  test('check ends with 0 where enough are online, and with 1 where not, or where nobody answers', async () => {
    assert.equal((await run(['check', '--min-online', '3'])).code, 0);
    const few = await run(['check', '--min-online', '4', '--json']);
    assert.deepEqual(
      [few.code, JSON.parse(few.stdout)],
      [1, { healthy: false, online: 3, minOnline: 4, listsItself: true }],
    );
    const gone = await run(['check', '--url', await nobody()]);
    assert.deepEqual([gone.code, gone.stdout], [1, '']);
    assert.match(gone.stderr, /nobody listens there/);
  });

  test('check looks for the server that it asks, and by a loopback address for the one of the environment', async () => {
    const { baseUrl } = /** @type {Server} */ (servers[1]);
    const isListed = async (/** @type {Record<string, string>} */ env) =>
      JSON.parse((await run(['check', '--json', '--url', baseUrl], env)).stdout).listsItself;
    assert.equal(await isListed({ SHAZBOT_BASE_URL: '' }), true);
    assert.equal(await isListed({ SHAZBOT_BASE_URL: 'http://app-1.internal:3000/' }), false);
    const failed = await run(['check', '--json', '--url', await nobody()]);
    assert.equal(failed.code, 1);
    const { healthy, error } = JSON.parse(failed.stdout);
    assert.deepEqual([healthy, /nobody listens there/.test(error)], [false, true]);
  });

  test('a wrong secret, a wrong use and a server without a status are told in a sentence', async (t) => {
    const refused = await run(['status'], { SHAZBOT_CONTROL_SECRET: 'not this' });
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(refused.stderr, /refuses: SHAZBOT_CONTROL_SECRET is not the one/);
    for (const args of [
      [],
      ['lists'],
      ['list', 'all'],
      ['list', '--secret', 'x'],
      ['check', '--min-online', 'x'],
      ['check', '--min-online', ''],
      ['list', '--url', 'http://user:secret@127.0.0.1/'],
      ['list', '--url', 'x'],
    ]) {
      const { code, stderr } = await run(args);
      assert.equal(code, 2, `${args}: ${stderr}`);
      assert.doesNotMatch(stderr, /\n {4}at /);
    }
    const old = await startServer(t, { env: (await startStore(t)).env, engine: 'v1' });
    const status = await run(['status', '--url', old.baseUrl]);
    assert.deepEqual([status.code, /ready-made/.test(status.stderr)], [1, true]);
    assert.equal((await run(['list', '--url', old.baseUrl])).code, 0, 'version 1 has a list');
    assert.match((await run(['--help'])).stdout, /Exit code/);
    assert.equal((await run(['--version'])).stdout, `${require('../package.json').version}\n`);
  });

  test('the secret comes from a file too, and is shown nowhere', async () => {
    const file = path.join(folder(), 'secret');
    writeFileSync(file, `${CONTROL_SECRET}\n`);
    const none = { SHAZBOT_CONTROL_SECRET: '' };
    assert.equal((await run(['status', '--secret-file', file], none)).code, 0);
    assert.equal((await run(['status'], { ...none, SHAZBOT_CONTROL_SECRET_FILE: file })).code, 0);
    assert.equal((await run(['status', '--secret-file', `${file}2`], none)).code, 2);
    writeFileSync(file, 'another\n');
    assert.ok((await run(['status', '--secret-file', file])).stderr.includes(`the secret in ${file} is not the one`));
    writeFileSync(file, '\n');
    assert.match((await run(['status', '--secret-file', file])).stderr, /it is empty/);
    const all = environment(own().baseUrl);
    for (const args of [['status'], ['doctor'], ['doctor', '--json']]) {
      const { stdout, stderr } = await run(args, { ...all, ...list.env });
      for (const secret of [SECRET, CONTROL_SECRET]) assert.ok(!(stdout + stderr).includes(secret));
    }
  });

  test('what a server says does not reach the terminal as control characters', async (t) => {
    const peer = await startFakePeer(t);
    peer.answer = () => ({ body: { online: [{ baseUrl: 'http://a/\x1b[2J', monitor: false, lastUpdate: 1 }] } });
    const { stdout } = await run(['list', '--url', peer.baseUrl]);
    assert.ok(stdout.includes('http://a/?[2J') && !stdout.includes('\x1b'), stdout);
    const members = [{ baseUrl: 'http://a/', state: 'online', protocol: '\x1b[31m', lastUpdate: 1 }];
    peer.answer = () => ({ body: { members, masterLists: [], exchanges: { out: {} } } });
    const status = await run(['status', '--url', peer.baseUrl]);
    assert.ok(status.stdout.includes('?[31m') && !status.stdout.includes('\x1b'), status.stdout);
    peer.answer = () => ({ status: 500, body: { error: '\x1b]0;title\x07' } });
    for (const command of ['list', 'watch']) {
      const { stderr } = await run([command, '--url', peer.baseUrl]);
      assert.ok(stderr.includes('?]0;title?') && !stderr.includes('\x1b'), stderr);
    }
  });

  test('whoever answers something else is told in a sentence', async (t) => {
    const peer = await startFakePeer(t);
    for (const body of [
      {},
      [],
      { online: 'all' },
      { online: [null] },
      { online: [], offline: null },
      { members: [{ baseUrl: 1 }] },
    ]) {
      peer.answer = () => ({ body });
      for (const command of ['list', 'status', 'watch', 'check']) {
        const { code, stderr } = await run([command, '--url', peer.baseUrl]);
        assert.deepEqual([code, stderr.trim().split('\n').length], [1, 1], stderr);
      }
    }
  });

  test('it ends quietly when nobody reads it any more', async (t) => {
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

  test('watch writes a line for each change where there is no terminal', async (t) => {
    const env = { ...process.env, SHAZBOT_BASE_URL: own().baseUrl, SHAZBOT_CONTROL_SECRET: CONTROL_SECRET };
    const child = spawn(process.execPath, [BIN, 'watch'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    const last = /** @type {Server} */ (servers[2]);
    await until(() => out.split('\n').length > 3, { what: 'it shows the three' });
    await last.drain();
    await until(() => out.includes(`drained  ${last.baseUrl}`), { what: 'it shows the drain' });
    await last.undrain();
    child.kill('SIGTERM');
    await until(() => child.exitCode === 0, { what: 'it ends' });
    await agree(servers, { online: servers });
  });

  test('watch is a live table in a terminal, with changes marked, and leaves it as it was', {
    skip: noTerminal,
  }, async (t) => {
    const env = {
      ...process.env,
      SHAZBOT_BASE_URL: own().baseUrl,
      SHAZBOT_CONTROL_SECRET: CONTROL_SECRET,
      TERM: 'xterm',
    };
    const command = `stty cols 80 rows 20; exec '${process.execPath}' '${BIN}' watch`;
    const child = spawn('script', ['-qefc', command, '/dev/null'], { env, stdio: 'pipe' });
    t.after(() => child.kill('SIGKILL'));
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    await until(() => out.includes('3 of 3 online'), { what: 'it shows the three' });
    const last = /** @type {Server} */ (servers[2]);
    await last.drain();
    await until(() => out.includes('2 of 3 online') && out.includes('\x1b[7mdrained'), { what: 'it marks the drain' });
    await last.undrain();
    child.stdin.write('\x03');
    await until(() => child.exitCode !== null, { what: 'it ends' });
    assert.ok(out.trimEnd().endsWith('\x1b[?25h\x1b[?1049l'), 'cursor and screen are back');
    await agree(servers, { online: servers });
  });

  test('demo behind an option is told what is wrong', async () => {
    const { code, stderr } = await run(['--json', 'demo']);
    assert.deepEqual([code, stderr], [2, 'demo is the first word, with options of its own: demo --help\n']);
  });

  test('doctor finds nothing wrong where nothing is', async () => {
    const { code, stdout } = await run(['doctor'], { ...environment(own().baseUrl), ...list.env });
    assert.equal(code, 0, stdout);
    assert.match(stdout, /ok {4}environment/);
    assert.match(stdout, /ok {4}master list file:.*it names \d servers, this server among them/);
    assert.match(stdout, /ok {4}own URL .* lists 3 online/);
    assert.equal(stdout.match(/ok {4}peer /g)?.length, 2);
    assert.match(stdout, /ok {4}exchanges: \d+ answered since its start, 0 rejected/);
  });

  test('doctor tries the secret and the state file of the environment, and reads each entry of a list', async () => {
    const made = folder();
    const file = path.join(made, 'odd.json');
    const metadata = 'http://169.254.169.254/';
    const named = ['ftp://a/', own().baseUrl, metadata, 7].map((baseUrl) => ({ baseUrl }));
    writeFileSync(file, JSON.stringify({ online: named }));
    const env = { ...environment(own().baseUrl), ...list.env, SHAZBOT_MASTER_LIST: `file://${file}` };
    const fine = await run(['doctor'], { ...env, SHAZBOT_STATE_FILE: path.join(made, 'state.json') });
    assert.equal(fine.code, 0, fine.stdout);
    assert.match(
      fine.stdout,
      /look {2}master list .*: 3 of them are not taken here, ftp:\/\/a\/ for one: its URL is neither/,
    );
    assert.doesNotMatch(fine.stdout, new RegExp(metadata), 'it is not asked');
    assert.match(fine.stdout, /ok {4}gossip secret: the server takes SHAZBOT_SECRET/);
    assert.match(fine.stdout, /ok {4}SHAZBOT_STATE_FILE/);
    const wrong = await run(['doctor'], { ...env, SHAZBOT_SECRET: 'short', SHAZBOT_STATE_FILE: '/nope/state.json' });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stdout, /WRONG gossip secret: .* 401 .*Invalid SHAZBOT_SECRET/);
    assert.match(wrong.stdout, /WRONG SHAZBOT_STATE_FILE: .*no such file or directory/);
    const asUrl = await run(['doctor'], { ...env, SHAZBOT_STATE_FILE: `file://${made}/state.json` });
    assert.match(asUrl.stdout, /ok {4}SHAZBOT_STATE_FILE/);
    assert.match(
      (await run(['doctor'], { ...env, SHAZBOT_STATE_FILE: made })).stdout,
      /WRONG SHAZBOT_STATE_FILE: .*no file/,
    );
    writeFileSync(file, '\n');
    assert.match((await run(['doctor'], env)).stdout, /ok {4}master list .*: it is empty yet/);
    assert.match(wrong.stdout, /look {2}environment: .*SHAZBOT_SECRET.*16 bytes/);
  });

  test('doctor sends the gossip secret only where the engine would, and shows no password of a list', async (t) => {
    const peer = await startFakePeer(t, { answer: () => ({ status: 200, body: '{"online":[]}' }) });
    /** @type {(string | undefined)[]} */
    let shown = [];
    peer.answer = () => (res) => {
      shown.push(res.req.headers.authorization);
      res.writeHead(res.req.method === 'POST' ? 401 : 200).end('{"online":[]}');
    };
    const sent = async (/** @type {Record<string, string>} */ more) => {
      shown = [];
      const { stdout } = await run(['doctor'], { ...environment(peer.baseUrl), ...list.env, ...more });
      assert.doesNotMatch(stdout, /hush/);
      return shown.includes(SECRET);
    };
    assert.equal(await sent({}), true);
    const place = new URL(`${peer.baseUrl}list.json`);
    [place.username, place.password] = ['u', 'hush'];
    assert.equal(await sent({ SHAZBOT_AUTH: 'sign', SHAZBOT_MASTER_LIST: place.href }), false);
    assert.ok(shown.includes(`Basic ${Buffer.from('u:hush').toString('base64')}`));
    for (const mode of ['signed', 'Signed']) assert.equal(await sent({ SHAZBOT_AUTH: mode }), false, mode);
  });

  test('a server that ends the connection without an answer is not fine', async (t) => {
    const peer = await startFakePeer(t, {
      answer: () => (res) => res.socket?.end('HTTP/1.1 101 No\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
    });
    for (const command of ['check', 'offline']) {
      const { code, stderr } = await run([command, '--url', peer.baseUrl]);
      assert.deepEqual([code, /without an answer/.test(stderr)], [1, true], stderr);
    }
  });

  test('doctor names all that is missing, where nothing is set', async () => {
    const { code, stdout } = await run(['doctor'], { SHAZBOT_BASE_URL: '', SHAZBOT_CONTROL_SECRET: '' });
    assert.equal(code, 1);
    for (const name of ['SHAZBOT_SECRET', 'SHAZBOT_BASE_URL', 'SHAZBOT_MASTER_LIST'])
      assert.ok(stdout.includes(`WRONG environment: Environment variable ${name} is required\n`), name);
  });

  test('doctor finds a list whose folder does not exist, by itself and by the server, and another interval', async (t) => {
    const lists = { SHAZBOT_MASTER_LIST: 'file:///nope/servers.json' };
    const lost = await startServer(t, { env: { ...lists, TEST_ROUTER: 'yes' } });
    const env = { ...environment(lost.baseUrl), ...lists, SHAZBOT_GOSSIP_INTERVAL: '7' };
    const failing = async () => JSON.parse((await run(['status', '--json'], env)).stdout).masterLists[0].error;
    await until(failing, { timeout: 20_000, what: 'the server has tried to write it' });
    const { code, stdout } = await run(['doctor'], env);
    assert.equal(code, 1);
    assert.match(stdout, /WRONG master list file:\/\/\/nope\/servers\.json: there is no folder \/nope/);
    assert.match(stdout, /WRONG master list .*, by the server: .*no folder/);
    assert.match(stdout, /look {2}SHAZBOT_GOSSIP_INTERVAL: it is 7 s here/);
  });

  test('doctor reads a list as the engine does: stored compressed, and elsewhere', async (t) => {
    const { url } = await startStore(t, { list: { online: [] }, gzip: true });
    const moved = await startFakePeer(t, {
      answer: () => (res) => res.writeHead(302, { location: url }).end(),
    });
    const lists = { SHAZBOT_MASTER_LIST: `${url} ${moved.baseUrl}list.json` };
    const { stdout } = await run(['doctor'], { ...environment(own().baseUrl), ...list.env, ...lists });
    assert.equal(stdout.match(/ok {4}master list .* it names 0 servers/g)?.length, 2, stdout);
  });

  test('watch --json names servers by their base URL alone, and tells of who is forgotten', async (t) => {
    const peer = await startFakePeer(t);
    let online = [{ baseUrl: 'http://a/', monitor: true, lastUpdate: 1 }];
    peer.answer = () => (res) => {
      if (res.req.url?.endsWith('/status')) res.writeHead(404).end('{}');
      else res.end(JSON.stringify({ online, offline: [] }));
    };
    const child = spawn(process.execPath, [BIN, 'watch', '--json', '--url', peer.baseUrl], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.after(() => child.kill('SIGKILL'));
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    await until(() => out.includes('"server":"http://a/","state":"online"'), { what: 'it names the one' });
    online = [];
    await until(() => out.includes('"server":"http://a/","state":"forgotten"'), { what: 'it is forgotten' });
    await peer.stop();
    await until(() => /"error":".*nobody listens there"/.test(out), { what: 'it says that nobody answers' });
  });

  test('doctor tells of secrets that differ', async (t) => {
    const other = await startServer(t, { env: { ...list.env, TEST_ROUTER: 'yes', SHAZBOT_SECRET: 'another' } });
    await until(() => other.stderr.includes('SHAZBOT_PEER_REFUSED_SECRET'), { what: 'it is refused' });
    const env = { ...environment(other.baseUrl), ...list.env };
    assert.match(
      (await run(['doctor'], env)).stdout,
      /WRONG exchanges: 0 answered .* [1-9]\d* rejected: SHAZBOT_SECRET.*\n(?:.*\n)*WRONG peers: none of 3 others lists/,
    );
    const { code, stdout } = await run(['doctor'], { ...env, SHAZBOT_CONTROL_SECRET: 'not this' });
    assert.deepEqual([code, /WRONG control secret: .*is not the one/.test(stdout)], [1, true]);
    await other.kill();
  });

  test('doctor tells a drained server from another one, and both from several', async (t) => {
    const env = { ...environment(own().baseUrl), ...list.env };
    await own().drain();
    const { stdout } = await run(['doctor'], env);
    assert.match(stdout, /look {2}own URL .*itself not among them: it is drained; `clustershazbot online`/);
    await own().undrain();
    await agree(servers, { online: servers });
    const other = { ...env, SHAZBOT_BASE_URL: own().baseUrl.replace('127.0.0.1', 'localhost') };
    assert.match(
      (await run(['doctor'], other)).stdout,
      new RegExp(`the server that answers calls itself ${own().baseUrl}`),
    );
    let startedAt = 0;
    const peer = await startFakePeer(t);
    peer.answer = () => (res) => {
      startedAt += 1;
      const status = { startedAt, members: [], masterLists: [], exchanges: { out: {} } };
      res.end(JSON.stringify(res.req.url?.endsWith('/status') ? status : { online: [] }));
    };
    const several = await run(['doctor'], { ...environment(peer.baseUrl), ...list.env });
    assert.match(several.stdout, /WRONG own URL: 5 processes answer at .*give each a base URL of its own/);
  });

  test('doctor reads a file as the engine does, and waits for none that is no file', async () => {
    const made = folder();
    const place = (/** @type {string} */ name) => path.join(made, name);
    writeFileSync(place('mark'), `\uFEFF${JSON.stringify({ online: [{ baseUrl: own().baseUrl.slice(0, -1) }] })}`);
    writeFileSync(place('large'), ' '.repeat((8 << 20) + 1));
    writeFileSync(place('page'), '<html>');
    mkdirSync(place('folder'));
    spawnSync('mkfifo', [place('pipe')]);
    for (const [name, says] of /** @type {const} */ ([
      ['mark', /ok {4}master list .*: it names 1 server, this server among them/],
      ['large', /WRONG master list .*: it is over 8 MiB/],
      ['page', /WRONG master list .*: it is no list, .*it begins with "<html>"/],
      ['folder', /WRONG master list .* is no file/],
      ['pipe', /WRONG master list .* is no file/],
    ])) {
      const lists = { SHAZBOT_MASTER_LIST: `file://${place(name)}` };
      const { stdout } = await run(['doctor'], { ...environment(own().baseUrl), ...list.env, ...lists });
      assert.match(stdout, says);
    }
  });

  test('doctor asks nobody that a list names before the environment says whom it lets in', async (t) => {
    const peer = await startFakePeer(t);
    const made = fileList();
    writeFileSync(made.file, JSON.stringify({ online: [peer.entry()] }));
    const env = { ...environment(own().baseUrl), ...made.env };
    const wrong = await run(['doctor'], { ...env, SHAZBOT_GOSSIP_INTERVAL: 'often' });
    assert.match(wrong.stdout, /look {2}peers: no other server is asked before the environment is right/);
    assert.equal(peer.connections, 0);
    await run(['doctor'], env);
    assert.ok(peer.connections > 0);
  });

  test('doctor knows a right secret by routes that answer 401 to whatever is wrong', async (t) => {
    const peer = await startFakePeer(t);
    peer.answer =
      ({ authorization }) =>
      (res) => {
        const isRight = authorization === SECRET;
        const error = isRight ? 'Invalid gossip message: it is none' : 'Unauthorized: Invalid SHAZBOT_SECRET';
        if (res.req.method === 'POST') res.writeHead(401).end(JSON.stringify({ error }));
        else res.end('{"online":[]}');
      };
    const env = { ...environment(peer.baseUrl), ...list.env };
    assert.match((await run(['doctor'], env)).stdout, /ok {4}gossip secret/);
    assert.match((await run(['doctor'], { ...env, SHAZBOT_SECRET: 'short' })).stdout, /WRONG gossip secret/);
  });

  test('the age of a server that is offline is how long it has been so: a leave is stamped ahead', () => {
    const member = {
      baseUrl: 'http://a/',
      monitor: false,
      state: 'offline',
      since: 0,
      lastUpdate: 70_000,
      protocol: 2,
    };
    const status = { at: 60_000, baseUrl: '', members: [member] };
    assert.equal(rowsOfStatus(/** @type {any} */ (status))[0]?.age, '60 s');
  });

  test('doctor says what is wrong and what to set', async (t) => {
    const peer = await startFakePeer(t, { answer: () => ({ status: 403, body: 'no' }) });
    const env = {
      ...environment(await nobody()),
      SHAZBOT_GOSSIP_INTERVAL: 'often',
      SHAZBOT_MASTER_LIST: `${peer.baseUrl}list.json?signature=not-to-be-shown`,
    };
    const { code, stdout } = await run(['doctor', '--json'], env);
    assert.equal(code, 1);
    assert.doesNotMatch(stdout, /not-to-be-shown/);
    /** @type {{ what: string, is: string, says: string }[]} */
    const all = JSON.parse(stdout);
    const variables = all.filter(({ what }) => what === 'environment');
    assert.match(variables.map(({ says }) => says).join(), /SHAZBOT_MASTER_LIST_UPDATE.*SHAZBOT_GOSSIP_INTERVAL/);
    assert.ok(variables.every(({ is }) => is === 'wrong'));
    const [store, url] = /** @type {[typeof all[0], typeof all[0]]} */ (all.slice(variables.length));
    assert.match(store.says, /answers 403/);
    assert.match(url.says, /nobody listens there.*SHAZBOT_BASE_URL/);
    assert.deepEqual([store.is, url.is], ['wrong', 'wrong']);
  });
});
