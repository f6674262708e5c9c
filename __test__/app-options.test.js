'use strict';

// The options of the Nest module and the Fastify plugin: configuration in code, and `enabled: false` for tests.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { Project } = require('./support/documents.js');
const { SECRETS, runsTwice } = require('./support/twice.js');

/** @param {import('node:test').TestContext} t */
function project(t) {
  const it = new Project();
  t.after(() => it.remove());
  return it;
}

/** The settings of a program that gets its port and its list as arguments, as source text. */
const CONFIG = `
const [port, list] = process.argv.slice(2);
const config = {
  SHAZBOT_SECRET: '${SECRETS.SHAZBOT_SECRET}',
  SHAZBOT_CONTROL_SECRET: '${SECRETS.SHAZBOT_CONTROL_SECRET}',
  SHAZBOT_BASE_URL: 'http://127.0.0.1:{port}/',
  SHAZBOT_MASTER_LIST: list,
  SHAZBOT_GOSSIP_INTERVAL: 0.5,
};
`;

/**
 * @param {InstanceType<typeof Project>} it
 * @param {string} file
 */
const runsWithArguments = (it, file) =>
  runsTwice(it.folder, ({ PORT, SHAZBOT_MASTER_LIST }) =>
    it.run(file, { PORT: '' }, [String(PORT), String(SHAZBOT_MASTER_LIST)]),
  );

const NEST = `
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ShazbotModule, ShazbotService } from 'clustershazbot/nestjs';
`;

describe('the Nest module', () => {
  test('is configured with nothing but code', { timeout: 60_000 }, async (t) => {
    const it = project(t);
    it.write(
      'code.ts',
      `${NEST}${CONFIG}
@Module({ imports: [ShazbotModule.forRoot({ config, port: Number(port) })] })
class AppModule {}
const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(Number(port));
`,
    );
    await it.compile('code.ts');
    await runsWithArguments(it, 'code.js');
  });

  for (const [setting, options, env] of /** @type {[string, string, Record<string, string>][]} */ ([
    ['enabled: false', '{ enabled: false }', {}],
    ['SHAZBOT_ENABLED=false', '', { SHAZBOT_ENABLED: 'false' }],
  ])) {
    test(`starts nothing with ${setting}, its service has empty lists, and its health indicator is up`, {
      timeout: 60_000,
    }, async (t) => {
      const it = project(t);
      it.write(
        'off.ts',
        `${NEST}
import { TerminusModule } from '@nestjs/terminus';
import { ShazbotHealthIndicator } from 'clustershazbot/nestjs/terminus';
@Module({ imports: [TerminusModule, ShazbotModule.forRoot(${options})], providers: [ShazbotHealthIndicator] })
class AppModule {}
const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(0);
const service = app.get(ShazbotService);
service.drain();
service.undrain();
service.setTags({ role: 'api' });
const { status } = await fetch(\`\${await app.getUrl()}/clustershazbot/list\`);
const health = app.get(ShazbotHealthIndicator).isHealthy('cluster');
console.log(JSON.stringify([service.list(), service.list(true), service.servers(), status, health]));
await app.close();
`,
      );
      await it.compile('off.ts');
      const off = it.run('off.js', env);
      assert.equal(await off.exit, 0, off.output);
      assert.deepEqual(JSON.parse(off.output), [
        { online: [] },
        { online: [], offline: [] },
        [],
        503,
        { cluster: { status: 'up', disabled: true } },
      ]);
    });
  }

  test('has its options only once in an application, and names the mistake in others', {
    timeout: 60_000,
  }, async (t) => {
    const it = project(t);
    it.write(
      'twice.ts',
      `${NEST}
const start = async (imports: any[]) => {
  @Module({ imports })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
  await app.close();
};
const tagged = (role: string) => ShazbotModule.forRoot({ enabled: false, tags: { role } });
for (const imports of [
  () => [tagged('a'), tagged('a')],
  () => [tagged('a'), tagged('b')],
  () => [ShazbotModule.forRootAsync({ useFactory: () => ({}), isGlobl: true } as any)],
  () => [ShazbotModule.forRootAsync({ useFactory: () => ({}), enabled: false } as any)],
]) {
  try {
    await start(imports());
    console.log('ok');
  } catch (error: any) {
    console.log(error.message);
  }
}
`,
    );
    await it.compile('twice.ts');
    const twice = it.run('twice.js', {});
    assert.equal(await twice.exit, 0, twice.output);
    const [same, different, misspelt, outside] = twice.output.split('\n');
    assert.equal(same, 'ok');
    assert.match(String(different), /forRoot is called twice in this application, with different options/);
    assert.match(String(misspelt), /ShazbotModule\.forRootAsync.*isGlobl.*isGlobal/);
    assert.match(String(outside), /ShazbotModule\.forRootAsync: enabled belongs in what useFactory returns/);
  });

  test('does not let the application start with a wrong configuration, and names what is wrong', async (t) => {
    const it = project(t);
    it.write(
      'wrong.ts',
      `${NEST}
const config = { SHAZBOT_BASE_URL: 'http://{adress}/' };
@Module({ imports: [ShazbotModule.forRootAsync({ useFactory: async () => ({ config }) })] })
class AppModule {}
const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(0).catch((error) => {
  console.log(error.message);
  process.exit(1);
});
`,
    );
    await it.compile('wrong.ts');
    const wrong = it.run('wrong.js', {});
    assert.equal(await wrong.exit, 1);
    assert.match(wrong.output, /\{adress\}: there are only.*SHAZBOT_SECRET is required/s);
  });
});

describe('the Fastify plugin', () => {
  test('with config starts and stops the engine', { timeout: 60_000 }, async (t) => {
    const it = project(t);
    it.write(
      'fastify.mjs',
      `import Fastify from 'fastify';
import { shazbotFastify } from 'clustershazbot/fastify';
${CONFIG}
const app = Fastify();
app.register(shazbotFastify, { config, port: Number(port) });
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => app.close());
await app.listen({ host: '127.0.0.1', port: Number(port) });
`,
    );
    await runsWithArguments(it, 'fastify.mjs');
  });

  test('with enabled: false starts nothing, and its health route says so', async (t) => {
    const it = project(t);
    it.write(
      'off.mjs',
      `import Fastify from 'fastify';
import { shazbotFastify } from 'clustershazbot/fastify';

const app = Fastify();
app.register(shazbotFastify, { enabled: false, config: {} });
for (const path of ['list', 'health']) {
  const { statusCode, body } = await app.inject('/clustershazbot/' + path);
  console.log(statusCode, body);
}
await app.close();
`,
    );
    const off = it.run('off.mjs', {});
    assert.equal(await off.exit, 0, off.output);
    assert.match(off.output, /^503 .*\n200 {"status":"disabled"}\n$/);
  });
});
