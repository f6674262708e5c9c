'use strict';

// Programs without a framework: the module systems and compilers they use, and how their processes end.

const assert = require('node:assert/strict');
const { readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');

const { environment, fileList } = require('../harness/cluster.js');
const { startFakePeer } = require('../harness/fake-peer.js');
const { freePorts } = require('../harness/ports.js');
const { until } = require('../harness/until.js');
const { agree, apps, newerNode, root, runToEnd, startProgram, workDirectory, write } = require('./support/programs.js');

const plain = path.join(apps, 'plain');
const newer = newerNode();
const missing =
  newer === undefined && process.env.SHAZBOT_TEST_ALL !== '1' ? 'Node 24 or newer is not installed' : false;

describe('programs without a framework', () => {
  /** @type {string} */
  let compiled;

  before(() => {
    compiled = workDirectory('swc', 'plain');
    const { transformSync } = require(require.resolve('@swc/core', { paths: [plain] }));
    const source = readFileSync(path.join(plain, 'server.mts'), 'utf8');
    const typescript = { parser: { syntax: 'typescript' }, target: 'es2022' };
    // With verbatimModuleSyntax, SWC keeps the type names in the import.
    const jsc = { ...typescript, transform: { verbatimModuleSyntax: true } };
    write(compiled, {
      'server.mjs': transformSync(source, { jsc, isModule: true }).code,
      'server.cjs': transformSync(source, { jsc: typescript, module: { type: 'commonjs' } }).code,
    });
  });

  test('ES modules, CommonJS and TypeScript compiled by SWC find each other, and leave on SIGTERM', async (t) => {
    await joinAndLeave(t, [
      [path.join(plain, 'server.mjs')],
      [path.join(plain, 'server.cjs')],
      [path.join(compiled, 'server.mjs')],
      [path.join(compiled, 'server.cjs')],
    ]);
  });

  test('on Node 24 or newer, so do uncompiled TypeScript, ES modules and CommonJS', { skip: missing }, async (t) => {
    assert.ok(newer, 'a newer Node is installed');
    const programs = ['server.mjs', 'server.cjs', 'server.mts'].map((file) => [path.join(plain, file)]);
    await joinAndLeave(t, programs, newer);
  });

  /**
   * Starts the programs as one cluster, then ends one after the other with SIGTERM.
   *
   * @param {import('../harness/cluster.js').Scope} scope
   * @param {string[][]} programs
   * @param {string} [node]
   */
  async function joinAndLeave(scope, programs, node) {
    const { env } = fileList();
    const servers = await Promise.all(programs.map((args) => startProgram(scope, args, { env, node })));
    await agree(servers, { online: servers });
    for (const [n, leaver] of servers.entries()) {
      leaver.signal('SIGTERM');
      assert.deepEqual(await leaver.ended(), { code: 0, signal: null });
      assert.equal(leaver.stderr, '');
      await agree(servers.slice(n + 1), { online: servers.slice(n + 1), offline: servers.slice(0, n + 1) });
    }
  }

  describe('the engine does not change when and how a process ends', { concurrency: 2 }, () => {
    /** @type {Record<string, string>} A master list on a server that never answers. */
    const hangingList = {};
    before(async () => {
      const { baseUrl } = await startFakePeer({ after }, { answer: () => 'hang' });
      hangingList.SHAZBOT_MASTER_LIST = `${baseUrl}servers.json`;
      hangingList.SHAZBOT_MASTER_LIST_UPDATE = `${baseUrl}servers.json`;
      hangingList.SHAZBOT_MASTER_LIST_UPDATE_AUTH = 'auth';
    });

    /**
     * @param {string} program the source of an ES module, after the import of `shazbot`
     * @param {Record<string, string>} [env]
     * @param {string} [node]
     */
    async function run(program, env = {}, node = undefined) {
      const [port] = await freePorts(1);
      const all = { ...environment(`http://127.0.0.1:${port}/`), ...fileList().env, ...env };
      const args = ['--input-type=module', '-e', `import * as shazbot from 'clustershazbot';\n${program}`];
      return runToEnd(args, { env: all, cwd: plain, node });
    }

    for (const [name, node] of /** @type {const} */ ([
      ['this Node', undefined],
      ['a newer Node', newer],
    ])) {
      const skip = name === 'a newer Node' ? missing : false;

      test(`a started engine does not keep the process running, on ${name}`, { skip }, async () => {
        const { code, signal, stdout, stderr } = await run(
          "await shazbot.shazbotStart(); console.log('started');",
          {},
          node,
        );
        assert.deepEqual({ code, signal, stdout, stderr }, { code: 0, signal: null, stdout: 'started\n', stderr: '' });
      });
    }

    test('a start that is not awaited does not keep the process running', async () => {
      const { code, signal, stderr } = await run('shazbot.shazbotStart();');
      assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' });
    });

    test('a program that only imports the package ends at once', async () => {
      const { code, ms } = await run('');
      assert.equal(code, 0);
      assert.ok(ms < 2_500, `${ms} ms; the happy-server timer takes 3 s`);
    });

    test('the process ends after an awaited start, even if the master list hangs', async () => {
      const { code, stdout } = await run("await shazbot.shazbotStart(); console.log('started');", hangingList);
      assert.deepEqual({ code, stdout }, { code: 0, stdout: 'started\n' });
    });

    test('the process ends after an awaited shutdown', async () => {
      const { code, stdout } = await run(
        "await shazbot.shazbotStart(); await shazbot.shazbotShutDown(); console.log('left');",
      );
      assert.deepEqual({ code, stdout }, { code: 0, stdout: 'left\n' });
    });

    test('process.exit during a start ends the process at once with its code', async () => {
      const { code, signal, ms, stdout } = await run(
        "shazbot.shazbotStart().then(() => console.log('started')); setTimeout(() => process.exit(7), 300);",
        hangingList,
      );
      assert.deepEqual({ code, signal, stdout }, { code: 7, signal: null, stdout: '' });
      assert.ok(ms < 5_000, `${ms} ms`);
    });

    test('process.exit in the same turn of the event loop as the start ends the process with its code', async () => {
      const { code, signal } = await run('shazbot.shazbotStart(); process.exit(7);');
      assert.deepEqual({ code, signal }, { code: 7, signal: null });
    });

    test('process.exit while the engine runs ends the process with its code', async () => {
      const { code, signal } = await run('await shazbot.shazbotStart(); setTimeout(() => process.exit(3), 700);');
      assert.deepEqual({ code, signal }, { code: 3, signal: null });
    });

    test('process.exit during a shutdown ends the process with its code', async () => {
      const { code, signal } = await run(
        'await shazbot.shazbotStart(); shazbot.shazbotShutDown(); setImmediate(() => process.exit(4));',
      );
      assert.deepEqual({ code, signal }, { code: 4, signal: null });
    });

    test('an uncaught exception ends the process with code 1 and its own stack trace', async () => {
      for (const when of ['', 'await shazbot.shazbotStart();']) {
        const failure = "setTimeout(() => { throw new Error('mine'); }, 300);";
        const { code, signal, stderr } = await run(`${when}shazbot.shazbotStart();${failure}`);
        assert.deepEqual({ code, signal }, { code: 1, signal: null });
        assert.match(stderr, /Error: mine/);
        assert.doesNotMatch(stderr, /panicked|FATAL/);
      }
    });

    test('a handler of uncaught exceptions sets the exit code', async () => {
      const { code, signal } = await run(
        `process.on('uncaughtException', () => process.exit(42));
         await shazbot.shazbotStart();
         setTimeout(() => { throw new Error('mine'); }, 300);`,
      );
      assert.deepEqual({ code, signal }, { code: 42, signal: null });
    });

    test('the engine does not change process.exitCode', async () => {
      const { code, signal } = await run('process.exitCode = 5; await shazbot.shazbotStart();');
      assert.deepEqual({ code, signal }, { code: 5, signal: null });
    });

    test('an uncaught rejection of the start ends the process with code 1 and the reason', async () => {
      const { code, signal, stderr } = await run('await shazbot.shazbotStart();', { SHAZBOT_SECRET: '' });
      assert.deepEqual({ code, signal }, { code: 1, signal: null });
      assert.match(stderr, /Environment variable SHAZBOT_SECRET is required/);
    });
  });
});

describe('the program of an example', () => {
  for (const [file, ...signals] of /** @type {[string, NodeJS.Signals, NodeJS.Signals][]} */ ([
    ['express/server.js', 'SIGINT', 'SIGINT'],
    ['express/server.js', 'SIGTERM', 'SIGINT'],
    ['express/server.js', 'SIGUSR2', 'SIGUSR2'],
    ['fastify/server.js', 'SIGTERM', 'SIGINT'],
    ['pm2/app.mjs', 'SIGINT', 'SIGTERM'],
    ['prometheus-grafana/server.js', 'SIGTERM', 'SIGTERM'],
  ])) {
    // tsx passes on the signal that the terminal has sent already; process managers send another one after a while.
    test(`${file} leaves in order although it gets ${signals.join(' and ')}`, async (t) => {
      const peer = await startFakePeer(t);
      const list = fileList();
      writeFileSync(list.file, JSON.stringify({ online: [peer.entry()] }));
      const program = await startProgram(t, [path.join(root, 'examples', file)], { env: list.env });
      const isLeave = (/** @type {import('../harness/fake-peer.js').Received} */ { body }) =>
        body.offline?.some((/** @type {{ baseUrl: string }} */ it) => it.baseUrl === program.baseUrl);
      peer.answer = async (received) => {
        if (isLeave(received)) await sleep(700);
        return peer.alive();
      };
      await until(() => peer.received.length > 0, { what: 'it gossips' });
      program.signal(signals[0] ?? 'SIGINT');
      await until(() => peer.received.some(isLeave), { every: 10, what: 'it leaves' });
      program.signal(signals[1] ?? 'SIGINT');
      assert.deepEqual(await program.ended(), { code: 0, signal: null });
    });
  }
});
