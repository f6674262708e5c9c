'use strict';

// The demo of a cluster: what it prints, and that it ends without leaving processes or files behind.

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const { mkdtempSync, readdirSync, rmSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, describe, test } = require('node:test');
const { until } = require('../harness/until.js');

const DEMO = path.join(__dirname, '../bin/clustershazbot.js');
const STEPS = ['start 1 to 5', 'run on', 'kill 3', 'start 3 again', 'drain 2', 'undrain 2'];
const SERVERS = [1, 2, 3, 4, 5];
const CTRL_C = '\x03';
const ESC = '\x1b';

// A separate folder for temporary files, to check that the demo leaves none.
const folder = mkdtempSync(path.join(os.tmpdir(), 'clustershazbot-demo-test-'));
/** @type {Set<import('node:child_process').ChildProcess>} */
const started = new Set();

after(() => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/**
 * Starts a command, and collects its output and the process ids in it.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
function run(command, args, env) {
  const child = spawn(command, args, {
    env: { ...process.env, TMPDIR: folder, ...env },
    stdio: 'pipe',
  });
  started.add(child);
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    output.stderr += chunk;
  });
  const closed = new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));
  return { child, output, closed, pids: () => [...output.stdout.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid)) };
}

/** @param {string[]} args */
const demo = (...args) => run(process.execPath, [DEMO, 'demo', ...args]);

/** @param {number} pid */
function alive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** @param {number[]} pids */
function serversEnded(pids) {
  assert.ok(pids.length >= SERVERS.length, 'the output has the process ids of the servers');
  return until(() => !pids.some(alive), { what: `the processes ${pids.join(', ')} have ended` });
}

function assertNoFiles() {
  assert.deepEqual(readdirSync(folder), []);
}

describe('npm run demo', () => {
  test('prints a line for each change into a pipe, and leaves no process and no file behind', {
    timeout: 200_000,
  }, async () => {
    const { output, closed, pids } = demo();
    assert.equal(await closed, 0, output.stderr);
    for (const step of STEPS) assert.match(output.stdout, new RegExp(`✔ ${step}: .*, after \\d+\\.\\d\\d s\n`));
    for (const viewer of [1, 2, 4, 5]) {
      assert.match(output.stdout, new RegExp(`server ${viewer}: 3 offline\n`), 'the server notices the kill');
    }
    for (const viewer of SERVERS) {
      assert.match(output.stdout, new RegExp(`server ${viewer}: 2 offline\n`), 'the server notices the drain');
    }
    assert.match(output.stdout, /\npage: http:\/\/127\.0\.0\.1:\d+\/clustershazbot\/ {2}secret: demo-control-secret\n/);
    const owners = [...output.stdout.matchAll(/job-\d+ belongs to server (\d)\n/g)].map(([, owner]) => owner);
    assert.equal(owners[0], '3', 'the killed server owned the job');
    assert.notEqual(owners[1], '3', 'another server owns it then');
    assert.ok(owners.slice(2).includes('3'), 'and it comes back');
    const summary = output.stdout.slice(output.stdout.indexOf('  step '));
    for (const step of STEPS) assert.match(summary, new RegExp(`✔ ${step} .* \\d+\\.\\d\\d s\n`));
    assert.match(output.stdout, /All steps succeeded\./);
    assert.equal(output.stdout.includes(ESC), false, 'there are no colours in a pipe');
    await serversEnded(pids());
    assertNoFiles();
  });

  test('redraws one table on a terminal, and keeps running until Ctrl-C', {
    timeout: 200_000,
    skip: noTerminal(),
  }, async () => {
    const { child, output, closed, pids } = inTerminal({ NO_COLOR: '' });
    await until(() => output.stdout.includes('Running until Ctrl-C'), { timeout: 190_000, what: 'all steps are done' });
    child.stdin.write(CTRL_C);
    assert.equal(await closed, 0, output.stdout);
    assert.ok(output.stdout.includes(`A\r${ESC}[K`), 'the cursor moves up to draw the table again');
    assert.ok(output.stdout.includes(`${ESC}[31m○ offline`), 'offline is red');
    assert.match(output.stdout, /stopped/);
    const last = output.stdout.slice(output.stdout.lastIndexOf('sees →'));
    for (const step of STEPS) assert.match(last, new RegExp(`✔.*${step}`), 'the last table stays on the screen');
    assert.ok(
      output.stdout.lastIndexOf(`${ESC}[?25h`) > output.stdout.lastIndexOf(`${ESC}[?25l`),
      'the cursor is visible again',
    );
    await serversEnded(pids());
    assertNoFiles();
  });

  test('prints no colours on a terminal if NO_COLOR is set', { timeout: 60_000, skip: noTerminal() }, async () => {
    const { child, output, closed, pids } = inTerminal({ NO_COLOR: '1' });
    await until(() => output.stdout.includes('● online'), { timeout: 40_000, what: 'a table is drawn' });
    child.stdin.write(CTRL_C);
    assert.equal(await closed, 130);
    assert.doesNotMatch(output.stdout.replaceAll(ESC, '<ESC>'), /<ESC>\[\d+m/);
    await serversEnded(pids());
    assertNoFiles();
  });

  test('cleans up and exits with 130 when interrupted', { timeout: 60_000 }, async () => {
    const { child, output, closed, pids } = demo();
    await until(() => pids().length >= SERVERS.length, { timeout: 20_000, what: 'five servers are started' });
    child.kill('SIGINT');
    assert.equal(await closed, 130, output.stderr);
    await serversEnded(pids());
    assertNoFiles();
  });

  test('leaves no server behind when it is killed', { timeout: 60_000 }, async () => {
    const { child, output, closed, pids } = demo();
    await until(() => output.stdout.includes('✔ start'), { timeout: 40_000, what: 'the servers list each other' });
    child.kill('SIGKILL');
    await closed;
    await serversEnded(pids());
    for (const file of readdirSync(folder)) rmSync(path.join(folder, file), { recursive: true });
  });

  test('exits with 1 and names a server that ended unexpectedly', { timeout: 60_000 }, async () => {
    const { output, closed, pids } = demo();
    await until(() => output.stdout.includes('▸ run on'), { timeout: 40_000, what: 'the servers list each other' });
    process.kill(pids()[3], 'SIGKILL');
    assert.equal(await closed, 1);
    assert.equal(output.stderr, 'Server 4 ended unexpectedly.\n');
    assert.match(output.stdout, /✘ run on/);
    await serversEnded(pids());
    assertNoFiles();
  });

  test('--help prints the help, an unknown option exits with 2, and neither leaves a folder', async () => {
    const help = demo('--help');
    assert.equal(await help.closed, 0);
    assert.match(help.output.stdout, /--keep/);
    const wrong = demo('--wrong');
    assert.equal(await wrong.closed, 2);
    assert.match(wrong.output.stderr, /--wrong/);
    assert.deepEqual(readdirSync(folder), []);
  });
});

/**
 * Runs the demo with --keep in a pseudo-terminal.
 *
 * @param {NodeJS.ProcessEnv} env
 */
function inTerminal(env) {
  const command = `stty cols 100 rows 40; exec '${process.execPath}' '${DEMO}' demo --keep`;
  return run('script', ['--quiet', '--return', '--command', command, '/dev/null'], { TERM: 'xterm', ...env });
}

/** Why there is no pseudo-terminal, or false. */
function noTerminal() {
  if (process.env.SHAZBOT_TEST_ALL === '1') return false;
  return spawnSync('script', ['--version']).status === 0 ? false : "util-linux's script is not installed";
}
