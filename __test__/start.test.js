'use strict';

// What a start tells, at once and through which logger: mistakes in the configuration, and one line if it works.

const assert = require('node:assert/strict');
const { existsSync, mkdirSync } = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { pathToFileURL } = require('node:url');

const { environment, fileList, startServers } = require('../harness/cluster.js');
const { catchWarnings, freshEngine, startEngine, withEnvironment } = require('../harness/engine.js');
const { folder } = require('../harness/folder.js');
const { freePorts } = require('../harness/ports.js');
const { until } = require('../harness/until.js');
const { Project } = require('./support/documents.js');

/** @typedef {import('node:test').TestContext} TestContext */

/**
 * The message with which a start with these changes to a valid environment is rejected.
 *
 * @param {Record<string, string | undefined>} changes
 * @returns {Promise<string>}
 */
async function startError(changes) {
  const engine = freshEngine();
  const env = { ...environment('http://127.0.0.1:9/'), ...fileList().env, ...changes };
  const error = await withEnvironment(env, () => engine.shazbotStart()).then(
    () => assert.fail(`the start was not rejected: ${JSON.stringify(changes)}`),
    (error) => error,
  );
  assert.equal(error.code, 'SHAZBOT_INVALID_CONFIG', error.message);
  return error.message;
}

/**
 * The warnings of a start with these changes to a valid environment, once one of them matches.
 *
 * @param {TestContext} t
 * @param {Record<string, string>} changes
 * @param {RegExp} [awaited]
 */
async function startWarnings(t, changes, awaited = /./) {
  const warnings = catchWarnings(t);
  await startEngine(t, changes);
  const find = () => warnings.filter(({ message }) => awaited.test(message));
  await until(() => find().length > 0, { what: `a warning: ${awaited}`, timeout: 5_000 });
  return find();
}

describe('a mistake in the configuration', () => {
  for (const [baseUrl, why] of /** @type {const} */ ([
    ['http://0.0.0.0:3000/', /0\.0\.0\.0 and \[::\] are addresses at which a server listens/],
    ['http://[::]:3000/', /addresses at which a server listens/],
    ['http://127.0.0.1:0/', /its port is 0/],
    ['http://$(POD_NAME).app:3000/', /contains the placeholder \$\(POD_NAME\), which nothing has replaced: write/],
    [`http://$\{HOST}:3000/`, /placeholder \$\{HOST\}, which/],
    ['http://{{hostname}}:3000/', /placeholder \{\{hostname\}\}, which/],
    ['http://%HOST%:3000/', /placeholder %HOST%, which/],
    ['http://<host>:3000/', /placeholder <host>, which/],
    ['http://*:3000/', /contains a star/],
    [`http://${undefined}:3000/`, /its host is "undefined", which JavaScript writes for a missing value/],
    [`http://${{}}:3000/`, /its host is "\[object Object\]"/],
    [`http://127.0.0.1:${Number.NaN}/`, /its port, "NaN", is not a number/],
  ])) {
    test(`is an error if ${baseUrl} is the base URL`, async () => {
      const message = await startError({ SHAZBOT_BASE_URL: baseUrl });
      assert.match(message, /^SHAZBOT_BASE_URL: /);
      assert.match(message, why);
    });
  }

  test('is an error with all problems, one per line, and a link', async () => {
    const message = await startError({
      SHAZBOT_SECRET: undefined,
      SHAZBOT_SECERT: 'hidden',
      SHAZBOT_BASE_URL: 'http://0.0.0.0:3000/',
      SHAZBOT_MASTER_LIST: `https://$\{STORE}/servers.json`,
      SHAZBOT_GOSSIP_INTERVAL: 'abc',
    });
    const lines = message.split('\n').map((line) => line.trim());
    assert.equal(lines.length, 7, message);
    assert.match(String(lines[5]), /SHAZBOT_SECERT is not a setting, .*Did you mean SHAZBOT_SECRET\?$/);
    assert.match(
      String(lines[1]),
      /^Environment variable SHAZBOT_SECRET is required, for example the output of `openssl/,
    );
    assert.equal(lines.at(-1), 'See clustershazbot/docs/errors.md#shazbot_invalid_config');
  });

  test('asks for no variables for updates if the list is a file, in DNS or only read', async () => {
    for (const list of ['file:///tmp/list.json', 'dns+http://app:3000/', 'https://store/list.json', undefined]) {
      const message = await startError({ SHAZBOT_SECRET: undefined, SHAZBOT_MASTER_LIST: list });
      assert.doesNotMatch(message, /_UPDATE/, list);
    }
  });

  test('is a warning for each misspelt variable, and none for what Kubernetes sets for a service called shazbot', async (t) => {
    const warnings = catchWarnings(t);
    await startEngine(t, {
      SHAZBOT_GOSIP_INTERVAL: '5',
      SHAZBOT_ALLOWED_ORIGIN: 'http://127.0.0.1',
      SHAZBOT_SECERT: 'hidden',
      SHAZBOT_NONSENSE: '1',
      SHAZBOT_CONTROL_SECRET_FILE: '/run/secrets/control',
      SHAZBOT_SERVICE_HOST: '10.0.0.1',
      SHAZBOT_PORT: 'tcp://10.0.0.1:3000',
      SHAZBOT_PORT_3000_TCP_ADDR: '10.0.0.1',
      SHAZBOT_MONITOR_SERVICE_PORT_HTTP: '3000',
    });
    await until(() => warnings.filter(({ code }) => code === 'SHAZBOT_DOUBTFUL_CONFIG').length === 4, {
      what: 'four warnings',
    });
    const text = warnings.map(({ message }) => message).join('\n');
    for (const part of [
      'SHAZBOT_GOSIP_INTERVAL is not a setting, and has no effect. Did you mean SHAZBOT_GOSSIP_INTERVAL?',
      'SHAZBOT_ALLOWED_ORIGIN is not a setting, and has no effect. Did you mean SHAZBOT_ALLOWED_ORIGINS?',
      'SHAZBOT_SECERT is not a setting, and has no effect. Did you mean SHAZBOT_SECRET?',
      'SHAZBOT_NONSENSE is not a setting, and has no effect. See',
    ]) {
      assert.ok(text.includes(part), `${part}\n${text}`);
    }
    assert.doesNotMatch(text, /hidden|_FILE|_HOST|_PORT/);
  });

  test('is a warning if a flag is neither true nor false, and the flag is off', async (t) => {
    const [warning] = await startWarnings(t, { SHAZBOT_MONITOR: 'yes' }, /SHAZBOT_MONITOR/);
    assert.match(warning?.message ?? '', /SHAZBOT_MONITOR: "yes" is neither true nor false, and counts as false/);
    assert.equal(warning?.code, 'SHAZBOT_DOUBTFUL_CONFIG');
  });

  test('is a warning at the start if the folder of a list in a file does not exist, and it works once it does', async (t) => {
    const missing = path.join(folder(), 'missing');
    const file = path.join(missing, 'servers.json');
    const list = pathToFileURL(file).href;
    const [warning] = await startWarnings(t, { SHAZBOT_MASTER_LIST: list }, /does not exist/);
    assert.equal(warning?.code, 'SHAZBOT_LIST_UNUSABLE');
    assert.ok(warning?.message.includes(`the folder ${missing} does not exist`), warning?.message);
    mkdirSync(missing);
    await until(() => existsSync(file), { what: 'the list is written', timeout: 10_000 });
  });

  test('is a warning at the start if the folder of the state file does not exist', async (t) => {
    const file = path.join(folder(), 'missing', 'state.json');
    const [warning] = await startWarnings(t, { SHAZBOT_STATE_FILE: file }, /does not exist/);
    assert.equal(warning?.code, 'SHAZBOT_STATE_UNUSABLE');
    assert.match(
      warning?.message ?? '',
      /state\.json cannot be written: the folder .*missing does not exist\. At its next start/,
    );
  });

  test('ends in a warning with the place that explains it', async (t) => {
    const [warning] = await startWarnings(t, { SHAZBOT_SECRET: '$(GOSSIP_SECRET)' }, /SHAZBOT_SECRET/);
    assert.match(
      warning?.message ?? '',
      /the value of SHAZBOT_SECRET is a placeholder .* nothing has replaced.*\. See clustershazbot\/docs\/errors\.md#shazbot_weak_secret$/,
    );
  });
});

describe('a start that works', () => {
  test('is one record on the channel of a plain program, which prints nothing', async (t) => {
    const list = fileList();
    const env = { ...list.env, SHAZBOT_CLUSTER: 'blue', SHAZBOT_GOSSIP_INTERVAL: '7' };
    const [first] = await startServers(t, 1, { env });
    await until(() => existsSync(list.file), { what: 'the first server is in the list' });
    const [second] = await startServers(t, 1, { env });
    const records = () => second?.logs.filter(({ code }) => code === 'START') ?? [];
    await until(() => records().length > 0, { what: 'a record' });
    assert.deepEqual(
      records().map(({ message }) => message),
      [
        `started as ${second?.baseUrl} in cluster blue; other servers online: 1; servers in ${env.SHAZBOT_MASTER_LIST} (1); ` +
          'a gossip round every 7 s',
      ],
    );
    for (const server of [first, second]) assert.deepEqual([server?.stdout, server?.stderr], ['', '']);
  });

  /**
   * Runs a program that listens and waits, with a flag that causes a warning, until it has printed what matches.
   *
   * @param {TestContext} t
   * @param {{ file: string, text: string }} program
   * @param {RegExp} awaited
   */
  async function outputOf(t, { file, text }, awaited) {
    const project = new Project();
    t.after(() => project.remove());
    project.write(file, `process.on('warning', (warning) => console.log('listener', Object(warning).code));\n${text}`);
    if (file.endsWith('.ts')) await project.compile(file);
    const [port] = await freePorts(1);
    const env = { ...environment(`http://127.0.0.1:${port}/`), ...fileList().env, SHAZBOT_MONITOR: 'yes' };
    const program = project.run(file.replace('.ts', '.js'), { ...env, PORT: String(port) });
    t.after(() => program.child.kill());
    await until(() => awaited.test(program.output), { what: `${awaited}`, timeout: 20_000 });
    // A second line of it would come soon.
    await new Promise((resolve) => setTimeout(resolve, 500));
    return program.output;
  }

  /**
   * @param {string} text
   * @param {RegExp} part
   */
  const count = (text, part) => text.match(new RegExp(part, 'g'))?.length ?? 0;

  /** @param {string} options of the application */
  const nest = (options) => ({
    file: 'app.ts',
    text: `import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ShazbotModule } from 'clustershazbot/nestjs';
@Module({ imports: [ShazbotModule.forRoot()] })
class AppModule {}
const app = await NestFactory.create(AppModule, ${options});
app.enableShutdownHooks();
await app.listen(Number(process.env.PORT));
console.log('listens');
`,
  });

  /** @param {string} options of the application */
  const fastify = (options) => ({
    file: 'app.mjs',
    text: `import Fastify from 'fastify';
import { shazbotFastify } from 'clustershazbot/fastify';
const app = Fastify(${options});
app.register(shazbotFastify, { enabled: true });
await app.listen({ port: Number(process.env.PORT) });
console.log('listens');
`,
  });

  const BOTH = /(?=.*listener SHAZBOT_DOUBTFUL_CONFIG)(?=.*listens)/s;

  test("is a line of Nest's logger, which also gets the warnings, once", { timeout: 60_000 }, async (t) => {
    const output = await outputOf(t, nest('{}'), BOTH);
    assert.match(output, /LOG.*\[ShazbotModule\].*started as http:\/\/127/);
    assert.match(output, /WARN.*\[ShazbotModule\].*\[SHAZBOT_DOUBTFUL_CONFIG\] SHAZBOT_MONITOR: "yes"/);
    assert.equal(count(output, /started as/), 1, output);
    assert.equal(count(output, /is neither true nor false/), 1, output);
    assert.equal(count(output, /listener SHAZBOT_DOUBTFUL_CONFIG/), 1, output);
  });

  test("is a line of Fastify's logger, which also gets the warnings, once", { timeout: 60_000 }, async (t) => {
    const output = await outputOf(t, fastify('{ logger: true }'), BOTH);
    assert.match(output, /"level":30.*"msg":"started as http:\/\/127/);
    assert.match(output, /"level":40.*"msg":"\[SHAZBOT_DOUBTFUL_CONFIG\] SHAZBOT_MONITOR/);
    assert.equal(count(output, /is neither true nor false/), 1, output);
    assert.equal(count(output, /listener SHAZBOT_DOUBTFUL_CONFIG/), 1, output);
  });

  for (const [name, program] of /** @type {const} */ ([
    ['Nest', nest('{ logger: false }')],
    ['Nest whose logger takes only errors', nest("{ logger: ['error'] }")],
    ['Fastify', fastify('{}')],
    ['Fastify whose logger takes only errors', fastify("{ logger: { level: 'error' } }")],
  ])) {
    test(`without a logger for warnings in ${name}, Node prints them`, { timeout: 60_000 }, async (t) => {
      const output = await outputOf(t, program, BOTH);
      assert.match(output, /\(node:\d+\) \[SHAZBOT_DOUBTFUL_CONFIG\] ShazbotWarning: SHAZBOT_MONITOR/);
      assert.equal(count(output, /is neither true nor false/), 1, output);
      assert.equal(count(output, /started as/), 0, output);
    });
  }
});
