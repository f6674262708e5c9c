'use strict';

// Shortages of the machine (file descriptors, threads), and files that others tamper with or lock.

const assert = require('node:assert/strict');
const { execFileSync, spawn, spawnSync } = require('node:child_process');
const { chmodSync, existsSync, lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const { untilGossiped, agree, environment, fileList, startServer, startServers } = require('../harness/cluster.js');
const { freshEngine, withEnvironment } = require('../harness/engine.js');
const { unusedUrl } = require('../harness/fake-peer.js');
const { freePorts } = require('../harness/ports.js');
const { until } = require('../harness/until.js');
const { fastClock } = require('./support/clock.js');

const SPEED = 5;
// Connections that are idle for 4 s are closed, so each round needs new ones.
const INTERVAL = 6;
const SLOW = { SHAZBOT_GOSSIP_INTERVAL: String(INTERVAL), SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '86400' };
/** One interval in real time, ms. */
const ROUND = (INTERVAL * 1_000) / SPEED;
/** What a busy machine may take longer, ms. */
const SLACK = 3_000;
const LINUX = process.platform === 'linux' ? {} : { skip: 'limits of another process can be set on Linux only' };

/** Root may always make threads, so the process gets another user. */
const OTHER_USER = process.getuid?.() === 0 ? ['setpriv', '--reuid=54321', '--regid=54321', '--clear-groups'] : ['env'];

/**
 * Limits a resource of a running process. Without `most` there is no limit.
 * @param {{ child?: import('node:child_process').ChildProcess, place?: { enter: string[] } }} server
 * @param {'nofile' | 'nproc'} resource
 * @param {number} [most]
 */
function limit({ child, place }, resource, most) {
  // As the user of that process: root may not in every container.
  const [command = '', ...args] = [...(place?.enter ?? []), 'prlimit', '--pid', String(child?.pid)];
  const read = [...args, `--${resource}`, '--noheadings', '--output=HARD'];
  const soft = most ?? execFileSync(command, read, { encoding: 'utf8' }).trim();
  execFileSync(command, [...args, `--${resource}=${soft}:`]);
}

/** @param {number} port */
const byName = (port) => ({
  port,
  // A name, which has to be looked up for each connection.
  baseUrl: `http://localhost:${port}/`,
  place: { host: '127.0.0.1', enter: OTHER_USER },
});

/** @param {{ file: string, directory: string }} list */
const shared = (list) => chmodSync(list.directory, 0o777);

describe('a server that lacks file descriptors for a while', LINUX, () => {
  test('does not call its peers failed, and gossips again within an interval', async (t) => {
    const [list, clock] = [fileList(), fastClock(SPEED)];
    const env = { ...list.env, ...clock, ...SLOW };
    const [port = 0] = await freePorts(1);
    const named = startServer(t, { port, baseUrl: `http://localhost:${port}/`, env });
    const servers = [...(await startServers(t, 2, { env })), await named];
    await agree(servers, { online: servers });
    await untilGossiped(servers);
    const [lacking, ...others] = servers;
    assert.ok(lacking);
    lacking.events = [];
    limit(lacking, 'nofile', 3);
    const failures = () => lacking.logs.filter(({ message }) => message.includes('open files')).length;
    const warning = () => lacking.warnings.find(({ code }) => code === 'SHAZBOT_NO_RESOURCES');
    await until(() => warning() && failures() >= 6, { timeout: 20 * ROUND, what: 'several exchanges fail' });
    const { online } = await lacking.order('call', 'shazbotGetServerList', true);
    assert.equal(online.length, 3, 'it lists all others online');
    assert.deepEqual(
      lacking.events.filter(({ type }) => type !== 'online'),
      [],
      'it has suspected nobody',
    );
    limit(lacking, 'nofile');
    const took = await agree(servers, { online: servers }, { timeout: ROUND + SLACK });
    t.diagnostic(`all agree ${took} ms after the shortage; an interval takes ${ROUND} ms`);
    assert.deepEqual(
      [lacking, ...others].flatMap(({ warnings }) => warnings.filter(isFailure)),
      [],
    );
  });
});

/** @param {{ code?: string }} warning */
const isFailure = ({ code }) => code === 'SHAZBOT_FAILED';

describe('a server that may make no thread for a while', LINUX, () => {
  test('rejects a start with the reason of the system, and starts afterwards', async (t) => {
    const list = fileList();
    shared(list);
    const [port = 0] = await freePorts(1);
    const env = { ...list.env, TEST_START: 'no' };
    const server = await startServer(t, { ...byName(port), env });
    limit(server, 'nproc', 1);
    await assert.rejects(server.order('start'), {
      code: 'SHAZBOT_NO_RESOURCES',
      status: 503,
      cause: 'EAGAIN',
      message: /Resource temporarily unavailable/,
    });
    await assert.rejects(server.order('call', 'shazbotGetServerList'), { code: 'SHAZBOT_NOT_STARTED' });
    limit(server, 'nproc');
    await server.order('start');
    assert.equal((await server.order('call', 'shazbotGetServerList')).online.length, 1);
  });

  test('goes on gossiping with servers whose names it looks up, and writing its files', async (t) => {
    const [list, clock] = [fileList(), fastClock(SPEED)];
    shared(list);
    const state = path.join(list.directory, 'state.json');
    // Longer than a thread that has nothing to do stays.
    const interval = { SHAZBOT_GOSSIP_INTERVAL: String(12 * SPEED) };
    const env = { ...list.env, ...clock, ...interval };
    const ports = await freePorts(2);
    const other = await startServer(t, { ...byName(Number(ports[1])), env });
    const server = await startServer(t, {
      ...byName(Number(ports[0])),
      env: { ...env, SHAZBOT_STATE_FILE: state, SHAZBOT_MASTER_ANNOUNCE_MINIMUM: '100' },
    });
    await agree([server, other], { online: [server, other] });
    limit(server, 'nproc', 1);
    const [received, written] = [await other.order('gossips'), statSync(list.file).mtimeMs];
    await until(async () => (await other.order('gossips')) >= received + 3, { timeout: 60_000, what: 'it gossips' });
    assert.equal((await server.order('call', 'shazbotGetServerList')).online.length, 2);
    writeFileSync(list.file, '{"online":[]}');
    await until(() => list.servers().includes(server.baseUrl), { timeout: 60_000, what: 'it writes its list' });
    assert.ok(statSync(list.file).mtimeMs > written);
    assert.deepEqual(server.warnings, []);
  });
});

test('shazbotStart starts the engine again if it has failed since', async (t) => {
  const { shazbotStart, shazbotShutDown, shazbotGetServerList } = freshEngine();
  const { engine } = require('../lib/engine.js');
  t.after(() => shazbotShutDown());
  const env = { ...environment(await unusedUrl()), ...fileList().env };
  await withEnvironment(env, () => shazbotStart());
  let starts = 0;
  t.mock.method(engine, 'start', (/** @type {any[]} */ ...args) => {
    starts += 1;
    return Object.getPrototypeOf(engine).start.apply(engine, args);
  });
  await withEnvironment(env, () => shazbotStart());
  assert.equal(starts, 0, 'it runs');
  const failed = t.mock.method(engine, 'isWorking', () => false);
  const again = withEnvironment(env, () => shazbotStart());
  failed.mock.restore();
  await again;
  assert.equal(starts, 1);
  assert.equal(shazbotGetServerList().online.length, 1);
});

describe('files beside a list', { skip: process.platform === 'win32' && 'links need privileges' }, () => {
  test('links in place of the lock and of temporary files lead nowhere', async (t) => {
    const [list, clock] = [fileList(), fastClock(SPEED)];
    const state = path.join(list.directory, 'state.json');
    const victim = path.join(list.directory, 'victim');
    writeFileSync(victim, 'precious');
    for (const name of [`${list.file}.lock`, `${list.file}.new`, `${state}.new`]) symlinkSync(victim, name);
    const env = { ...clock, SHAZBOT_GOSSIP_INTERVAL: '1.5' };
    const peer = await startServer(t, { env: { ...env, ...fileList().env } });
    writeFileSync(list.file, JSON.stringify({ online: [{ baseUrl: peer.baseUrl }] }));
    const server = await startServer(t, { env: { ...env, ...list.env, SHAZBOT_STATE_FILE: state } });
    const failed = () => server.logs.find(({ code }) => code === 'LIST_FAILED');
    const { message } = await until(failed, { what: 'the list is not written' });
    assert.match(message, /cannot be written: .*servers\.json\.lock: it is a symbolic link/);
    await until(() => existsSync(state), { what: 'the state is saved' });
    await server.terminate();
    assert.equal(readFileSync(victim, 'utf8'), 'precious');
    assert.ok(lstatSync(state).isFile());
    assert.equal(statSync(state).mode & 0o777, 0o600);
  });

  test('a server finds the others in a list whose lock another process holds, and names the lock', LINUX, async (t) => {
    const [list, clock] = [fileList(), fastClock(SPEED)];
    const env = { ...list.env, ...clock, SHAZBOT_GOSSIP_INTERVAL: '6' };
    const first = await startServer(t, { env });
    await until(() => list.servers().length === 1, { what: 'the first server is in the list' });
    const lock = `${list.file}.lock`;
    assert.equal(statSync(lock).mode & 0o777, 0o600);
    const holder = spawn('flock', ['--no-fork', lock, 'sleep', '600']);
    t.after(() => holder.kill());
    await until(() => spawnSync('flock', ['-n', lock, 'true']).status === 1, { what: 'the lock is held' });
    const second = await startServer(t, { env });
    await agree([first, second], { online: [first, second] });
    const warning = () => second.warnings.find(({ code }) => code === 'SHAZBOT_LIST_UNUSABLE');
    const { message } = await until(warning, { timeout: 60_000, what: 'the warning' });
    assert.ok(message.includes(`another process holds its lock, ${lock}`), message);
    holder.kill();
    await until(() => list.servers().length === 2, { timeout: 30_000, what: 'the second server is in the list' });
  });
});
