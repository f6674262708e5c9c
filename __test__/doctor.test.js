'use strict';

// The doctor command: each of its checks reports what is wrong and how to fix it.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { mkdirSync, writeFileSync } = require('node:fs');
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

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

describe('clustershazbot doctor', () => {
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
  /** @param {Record<string, string>} env */
  const doctor = (env) => run(['doctor', '--ask-all'], env);

  /**
   * The environment of a server with the cluster's master list.
   *
   * @param {string} baseUrl
   * @param {Record<string, string>} [changes]
   */
  const serverEnv = (baseUrl, changes) => ({ ...environment(baseUrl), ...list.env, ...changes });

  test('finds nothing wrong with a healthy cluster', async () => {
    const { code, stdout } = await doctor(serverEnv(own().baseUrl));
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^ok +environment +all variables are valid$/m);
    assert.match(stdout, /^ok +master list +file:.* names \d servers, including this one$/m);
    assert.match(stdout, /^ok +base URL .* lists 3 online$/m);
    assert.match(stdout, /^ok +members +2 of 2 other servers answer as members$/m);
    assert.match(stdout, /^ok +listed +2 of 2 other servers list this one$/m);
    assert.match(stdout, /^ok +split +3 servers are in one group$/m);
    assert.match(stdout, /^ok +exchanges +\d+ answered since its start, /m);
    for (const check of ['clocks', 'versions', 'intervals']) assert.match(stdout, new RegExp(`^ok +${check} `, 'm'));
  });

  test('says what the placeholders of the base URL are filled in with, or which has no value', async () => {
    const filled = await doctor(
      serverEnv('http://{env:HOST_HERE}:{port}/', {
        HOST_HERE: '127.0.0.1',
        PORT: new URL(own().baseUrl).port,
      }),
    );
    assert.equal(filled.code, 0, filled.stdout);
    assert.match(
      filled.stdout,
      /^ok +environment +SHAZBOT_BASE_URL is http:.*: \{env:HOST_HERE\} is 127\.0\.0\.1, \{port\} is/m,
    );
    const wrong = await doctor(serverEnv('http://{env:NOWHERE}/', { SHAZBOT_AUTH: 'no' }));
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.stdout,
      /^FAIL +environment +SHAZBOT_BASE_URL: \{env:NOWHERE\}: the variable NOWHERE is not set/m,
    );
    assert.match(wrong.stdout, /^FAIL +environment +SHAZBOT_AUTH/m);
    assert.doesNotMatch(wrong.stdout, /is required|placeholder|No server given/);
    const list = await run(['list'], { SHAZBOT_BASE_URL: 'http://{env:NOWHERE}/' });
    assert.deepEqual([list.code, /NOWHERE is not set/.test(list.stderr)], [2, true]);
  });

  test('looks up the names of lists in DNS', async () => {
    const names = 'dns+http://localhost:3000/ srv+http://_http._tcp.nobody.invalid/';
    const { stdout } = await doctor(serverEnv(own().baseUrl, { SHAZBOT_MASTER_LIST: names }));
    assert.match(stdout, /^ok +master list +dns\+http:\/\/localhost:3000\/: leads to \d places?: /m);
    assert.match(stdout, /^warn +master list +srv\+http:.*nobody\.invalid\/: cannot be looked up/m);
  });

  test('checks the gossip secret, the state file and each entry of a master list', async () => {
    const directory = folder();
    const file = path.join(directory, 'odd.json');
    const metadata = 'http://169.254.169.254/';
    const listed = ['ftp://a/', own().baseUrl, metadata, 7].map((baseUrl) => ({ baseUrl }));
    writeFileSync(file, JSON.stringify({ online: listed }));
    const env = serverEnv(own().baseUrl, { SHAZBOT_MASTER_LIST: `file://${file}` });
    const valid = await doctor({ ...env, SHAZBOT_STATE_FILE: path.join(directory, 'state.json') });
    assert.equal(valid.code, 0, valid.stdout);
    assert.match(valid.stdout, /^warn +master list .*: this server ignores 3 of them, for example ftp:\/\/a\/: ./m);
    assert.doesNotMatch(valid.stdout, new RegExp(metadata), 'the link-local address is not contacted');
    assert.match(valid.stdout, /^ok +gossip secret +the server accepts SHAZBOT_SECRET/m);
    assert.match(valid.stdout, /^ok +state file +SHAZBOT_STATE_FILE/m);
    const wrong = await doctor({ ...env, SHAZBOT_SECRET: 'short', SHAZBOT_STATE_FILE: '/nope/state.json' });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stdout, /^FAIL +gossip secret .* 401 .*Invalid SHAZBOT_SECRET/m);
    assert.match(wrong.stdout, /^FAIL +state file +SHAZBOT_STATE_FILE: .*no such file or directory/m);
    const asUrl = await doctor({ ...env, SHAZBOT_STATE_FILE: `file://${directory}/state.json` });
    assert.match(asUrl.stdout, /^ok +state file /m);
    assert.match(
      (await doctor({ ...env, SHAZBOT_STATE_FILE: directory })).stdout,
      /^FAIL +state file .*not a regular file/m,
    );
    writeFileSync(file, '\n');
    assert.match((await doctor(env)).stdout, /^ok +master list .*: is empty: the first server writes it/m);
    assert.match(wrong.stdout, /^warn +environment .*SHAZBOT_SECRET.*16 bytes/m);
  });

  test('sends the gossip secret only if the engine would, and never prints the password in a list URL', async (t) => {
    const peer = await startFakePeer(t, { answer: () => ({ status: 200, body: '{"online":[]}' }) });
    /** @type {(string | undefined)[]} */
    let received = [];
    peer.answer = () => (res) => {
      received.push(res.req.headers.authorization);
      const error = { error: 'Unauthorized: Invalid SHAZBOT_SECRET' };
      if (res.req.method === 'POST') res.writeHead(401).end(JSON.stringify(error));
      else res.end('{"online":[]}');
    };
    const sendsSecret = async (/** @type {Record<string, string>} */ more) => {
      received = [];
      const { stdout } = await doctor(serverEnv(peer.baseUrl, more));
      assert.doesNotMatch(stdout, /hush/);
      return received.includes(SECRET);
    };
    assert.equal(await sendsSecret({}), true);
    const listUrl = new URL(`${peer.baseUrl}list.json`);
    [listUrl.username, listUrl.password] = ['u', 'hush'];
    assert.equal(await sendsSecret({ SHAZBOT_AUTH: 'sign', SHAZBOT_MASTER_LIST: listUrl.href }), false);
    assert.ok(received.includes(`Basic ${Buffer.from('u:hush').toString('base64')}`));
    for (const mode of ['signed', 'Signed']) assert.equal(await sendsSecret({ SHAZBOT_AUTH: mode }), false, mode);
  });

  test('names all missing variables', async () => {
    const { code, stdout } = await doctor({ SHAZBOT_BASE_URL: '', SHAZBOT_SECRET: SECRET });
    assert.equal(code, 1);
    for (const name of ['SHAZBOT_BASE_URL', 'SHAZBOT_MASTER_LIST'])
      assert.match(
        stdout,
        new RegExp(`^FAIL +environment +Environment variable ${name} is required, for example `, 'm'),
      );
    assert.match(stdout, /configuration in code, pass --url and --secret-file/);
  });

  describe('with --url', () => {
    const other = () => /** @type {Server} */ (servers[1]);
    /** The program has its configuration in code. @param {Record<string, string>} [env] */
    const check = (url = own().baseUrl, env = {}) =>
      runToEnd([BIN, 'doctor', '--url', url], { env: { SHAZBOT_CONTROL_SECRET: CONTROL_SECRET, ...env } });

    test('checks what the server knows, and does not miss variables that the program has in its code', async () => {
      const complete = async () => {
        const result = await check();
        return result.stdout.includes('names 3 servers') && result;
      };
      const what = 'the server has read a list with all three';
      const { code, stdout } = await until(complete, { timeout: 20_000, what });
      assert.equal(code, 0, stdout);
      assert.doesNotMatch(stdout, /required|FAIL/);
      assert.match(stdout, /^ok +environment +not set here, and so not checked: SHAZBOT_SECRET, SHAZBOT_MASTER_LIST$/m);
      assert.match(stdout, /^ok +master list +file:.*, as http:.* reports: names 3 servers$/m);
      assert.match(stdout, /^ok +members +2 of 2 other servers answer as members$/m);
      assert.match(stdout, /^ok +listed +2 of 2 other servers list this one$/m);
      assert.match(stdout, /^ok +intervals +0\.3 s on/m);
      const wrong = await check(own().baseUrl, { SHAZBOT_GOSSIP_INTERVAL: 'often' });
      assert.match(wrong.stdout, /^FAIL +environment +SHAZBOT_GOSSIP_INTERVAL/m, 'what is set here is checked');
    });

    test('asks for the control secret if it has none', async () => {
      const { code, stdout } = await check(own().baseUrl, { SHAZBOT_CONTROL_SECRET: '' });
      assert.equal(code, 0, stdout);
      assert.match(stdout, /^warn +control secret .*\n +Pass --secret-file/m);
      assert.match(stdout, /^ok +members +2 of 2 other servers answer as members$/m);
    });

    test('checks that server, and says so if the environment is that of another one', async () => {
      const env = serverEnv(own().baseUrl);
      const { code, stdout } = await check(other().baseUrl, env);
      assert.equal(code, 0, stdout);
      const row = `checks ${other().baseUrl}, as --url says; SHAZBOT_BASE_URL is ${own().baseUrl}\n`;
      assert.ok(stdout.includes(row), stdout);
      assert.match(stdout, new RegExp(`^ok +base URL +${other().baseUrl}: answers after`, 'm'));
      assert.match(stdout, /^ok +members +2 of 2 other servers answer as members$/m);
      assert.doesNotMatch(stdout, /gossip secret/, 'SHAZBOT_SECRET goes only to the server of the environment');
      const same = await check(own().baseUrl.replace('127.0.0.1', 'localhost'), env);
      assert.doesNotMatch(same.stdout, /as --url says|but not itself/);
      assert.match(same.stdout, new RegExp(`answers as ${own().baseUrl} after`));
      assert.match(same.stdout, /^ok +members +2 of 2 other servers answer as members$/m);
      const placeholder = await check(other().baseUrl, { ...env, SHAZBOT_BASE_URL: 'http://{env:NOWHERE}/' });
      assert.equal(placeholder.code, 0, placeholder.stdout);
    });
  });

  test('reports a master list in a missing folder, as seen here and by the server, and a different interval', async (t) => {
    const lists = { SHAZBOT_MASTER_LIST: 'file:///nope/servers.json' };
    const server = await startServer(t, { env: { ...lists, TEST_ROUTER: 'yes' } });
    const env = { ...environment(server.baseUrl), ...lists, SHAZBOT_GOSSIP_INTERVAL: '7' };
    const failing = async () => JSON.parse((await run(['status', '--json'], env)).stdout).masterLists[0].error;
    await until(failing, { timeout: 20_000, what: 'the server has tried to write the list' });
    const { code, stdout } = await doctor(env);
    assert.equal(code, 1);
    assert.match(stdout, /^FAIL +master list +file:\/\/\/nope\/servers\.json: the folder \/nope does not exist/m);
    assert.match(stdout, /^FAIL +master list .*, as http:.* reports: .*folder .* does not exist/m);
    assert.match(stdout, /^warn +intervals +SHAZBOT_GOSSIP_INTERVAL is 7 s here/m);
  });

  test('reads compressed and redirected master lists like the engine', async (t) => {
    const { url } = await startStore(t, { list: { online: [] }, gzip: true });
    const moved = await startFakePeer(t, {
      answer: () => (res) => res.writeHead(302, { location: url }).end(),
    });
    const lists = { SHAZBOT_MASTER_LIST: `${url} ${moved.baseUrl}list.json` };
    const { stdout } = await doctor(serverEnv(own().baseUrl, lists));
    assert.equal(stdout.match(/^ok +master list .* names 0 servers/gm)?.length, 2, stdout);
  });

  test('follows a redirect of a master list only where the engine does', async (t) => {
    const { url } = await startStore(t, { list: { online: [] } });
    /** @type {string[]} */
    const sent = [];
    const elsewhere = await startFakePeer(t, {
      answer: ({ authorization = '' }) => {
        sent.push(authorization);
        return (res) => res.writeHead(302, { location: url }).end();
      },
    });
    const to = async (/** @type {string} */ location) => {
      const store = await startFakePeer(t, { answer: () => (res) => res.writeHead(307, { location }).end() });
      const lists = { SHAZBOT_MASTER_LIST: `${store.baseUrl}list.json`, SHAZBOT_MASTER_LIST_AUTH: 'Bearer secret' };
      return (await doctor(serverEnv(own().baseUrl, lists))).stdout;
    };
    const metadata = await to('http://169.254.169.254/latest/meta-data/');
    assert.match(metadata, /^FAIL +master list .*redirects to an address that is link-local, multicast or a cloud's/m);
    assert.match(await to('ftp://127.0.0.1/'), /^FAIL +master list .*: /m);
    assert.match(await to(elsewhere.baseUrl), /^ok +master list .* names 0 servers/m);
    assert.deepEqual(sent, [''], 'the header is not sent to another origin');
    const loop = await startFakePeer(t);
    loop.answer = () => (res) => res.writeHead(302, { location: loop.baseUrl }).end();
    assert.match(await to(loop.baseUrl), /^FAIL +master list .*: too many redirects/m);
  });

  test('reports secrets that differ between servers', async (t) => {
    const other = await startServer(t, { env: { ...list.env, TEST_ROUTER: 'yes', SHAZBOT_SECRET: 'another' } });
    await until(() => other.stderr.includes('SHAZBOT_PEER_REFUSED_SECRET'), { what: 'a peer rejects its secret' });
    const env = serverEnv(other.baseUrl);
    const different = (await doctor(env)).stdout;
    assert.match(different, /^FAIL +exchanges +0 answered since its start, [1-9]\d* failed \([1-9]\d* rejected/m);
    assert.match(different, /^FAIL +listed +0 of 3 other servers list this one; not http:.*\n +SHAZBOT_SECRET/m);
    assert.match(different, /^FAIL +split +2 groups that do not see each other: \[http.*\] and \[http/m);
    const { code, stdout } = await doctor({ ...env, SHAZBOT_CONTROL_SECRET: 'not this' });
    assert.deepEqual([code, /^FAIL +control secret .*does not match/m.test(stdout)], [1, true]);
    await other.kill();
  });

  test('distinguishes a drained server, another server, and several processes with one base URL', async (t) => {
    const env = serverEnv(own().baseUrl);
    await own().drain();
    const { stdout } = await doctor(env);
    assert.match(stdout, /^warn +base URL .*but not itself\n +It is drained; `clustershazbot undrain`/m);
    await own().undrain();
    await agree(servers, { online: servers });
    const other = { ...env, SHAZBOT_BASE_URL: own().baseUrl.replace('127.0.0.1', 'localhost') };
    assert.match((await doctor(other)).stdout, new RegExp(`The server that answers has the base URL ${own().baseUrl}`));
    let startedAt = 0;
    const peer = await startFakePeer(t);
    peer.answer = () => (res) => {
      startedAt += 1;
      const status = { startedAt, members: [], masterLists: [], exchanges: { out: {} } };
      res.end(JSON.stringify(res.req.url?.endsWith('/status') ? status : { online: [] }));
    };
    const several = await doctor(serverEnv(peer.baseUrl));
    assert.match(
      several.stdout,
      /^FAIL +base URL +at least 5 processes answer at .*\n +Give each process its own base URL/m,
    );
  });

  test('reads a list file like the engine, and does not wait for a named pipe', async () => {
    const directory = folder();
    const file = (/** @type {string} */ name) => path.join(directory, name);
    writeFileSync(
      file('byte-order-mark'),
      `\uFEFF${JSON.stringify({ online: [{ baseUrl: own().baseUrl.slice(0, -1) }] })}`,
    );
    writeFileSync(file('large'), ' '.repeat((8 << 20) + 1));
    writeFileSync(file('page'), '<html>');
    mkdirSync(file('folder'));
    spawnSync('mkfifo', [file('pipe')]);
    for (const [name, expected] of /** @type {const} */ ([
      ['byte-order-mark', /^ok +master list .*: names 1 server, including this one/m],
      ['large', /^FAIL +master list .*: the file is larger than 8 MiB/m],
      ['page', /^FAIL +master list .*: it is not a list .*it begins with "<html>"/m],
      ['folder', /^FAIL +master list .* is not a regular file/m],
      ['pipe', /^FAIL +master list .* is not a regular file/m],
    ])) {
      const lists = { SHAZBOT_MASTER_LIST: `file://${file(name)}` };
      const { stdout } = await doctor(serverEnv(own().baseUrl, lists));
      assert.match(stdout, expected);
    }
  });

  test('does not contact listed servers while the environment is invalid', async (t) => {
    const peer = await startFakePeer(t);
    const listed = fileList();
    writeFileSync(listed.file, JSON.stringify({ online: [peer.entry()] }));
    const env = { ...environment(own().baseUrl), ...listed.env };
    const wrong = await doctor({ ...env, SHAZBOT_GOSSIP_INTERVAL: 'often' });
    assert.match(wrong.stdout, /^warn +members +other servers are asked only once the environment is valid/m);
    assert.equal(peer.connections, 0);
    await doctor(env);
    assert.ok(peer.connections > 0);
  });

  test('recognises an accepted secret even if the routes answer every error with 401', async (t) => {
    const peer = await startFakePeer(t);
    peer.answer =
      ({ authorization }) =>
      (res) => {
        const isRight = authorization === SECRET;
        const error = isRight ? 'Invalid gossip message: it is none' : 'Unauthorized: Invalid SHAZBOT_SECRET';
        if (res.req.method === 'POST') res.writeHead(401).end(JSON.stringify({ error }));
        else res.end('{"online":[]}');
      };
    const env = serverEnv(peer.baseUrl);
    assert.match((await doctor(env)).stdout, /^ok +gossip secret/m);
    assert.match((await doctor({ ...env, SHAZBOT_SECRET: 'short' })).stdout, /^FAIL +gossip secret/m);
  });

  test('names for each problem what is wrong and which variable to set', async (t) => {
    const peer = await startFakePeer(t, { answer: () => ({ status: 403, body: 'no' }) });
    const env = {
      ...environment(await unusedUrl()),
      SHAZBOT_GOSSIP_INTERVAL: 'often',
      SHAZBOT_MASTER_LIST: `${peer.baseUrl}list.json?signature=secret-signature`,
      // Somebody who gives this means to write the list.
      SHAZBOT_MASTER_LIST_UPDATE_AUTH: 'Bearer x',
    };
    const { code, stdout } = await run(['doctor', '--json'], env);
    assert.equal(code, 1);
    assert.doesNotMatch(stdout, /secret-signature/);
    /** @type {{ result: string, check: string, found: string, advice?: string }[]} */
    const all = JSON.parse(stdout);
    const variables = all.filter(({ check }) => check === 'environment');
    assert.match(variables.map(({ found }) => found).join(), /SHAZBOT_MASTER_LIST_UPDATE.*SHAZBOT_GOSSIP_INTERVAL/);
    assert.deepEqual([...new Set(variables.slice(0, -1).map(({ result }) => result))], ['fail']);
    assert.match(String(variables.at(-1)?.found), /configuration in code/);
    const [store, url] = /** @type {[typeof all[0], typeof all[0]]} */ (all.slice(variables.length));
    assert.match(store.found, /answers 403/);
    assert.match(url.found, /connection refused/);
    assert.match(String(url.advice), /SHAZBOT_BASE_URL/);
    assert.deepEqual([store.result, url.result], ['fail', 'fail']);
  });
});
