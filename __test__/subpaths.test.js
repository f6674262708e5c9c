'use strict';

// Which packages each entry point of this package loads.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');

const { root, runToEnd } = require('./support/programs.js');

/** The entry points and the other packages that each may load. @type {[name: string, packages: RegExp][]} */
const entries = [
  ['clustershazbot', /^$/],
  ['clustershazbot/express', /^$/],
  ['clustershazbot/fastify', /^$/],
  ['clustershazbot/fetch', /^$/],
  ['clustershazbot/node-cron', /^$/],
  ['clustershazbot/testing', /^$/],
  ['clustershazbot/undici', /^undici$/],
  ['clustershazbot/prometheus', /^@opentelemetry\/api,bintrees,prom-client,tdigest$/],
  ['clustershazbot/nestjs', /^(?!.*(express|fastify|prom-client|terminus)).*@nestjs\/common,@nestjs\/core/],
];

describe('an entry point', () => {
  for (const [name, packages] of entries) {
    test(`${name} loads only the packages that it integrates, and does not keep the process running`, async () => {
      const program = `
        require('${name}');
        const names = Object.keys(require.cache).flatMap((file) => file.match(/node_modules[\\\\/]((?:@[^\\\\/]+[\\\\/])?[^\\\\/]+)/)?.[1] ?? []);
        console.log([...new Set(names)].filter((it) => it !== 'clustershazbot').sort().join());
      `;
      const { code, stdout, stderr } = await runToEnd(['-e', program], { cwd: root });
      assert.equal(code, 0, stderr);
      assert.match(stdout.trim(), packages);
    });
  }

  test('has a default export in what compilers make of ES modules, as Nest programs are compiled', async () => {
    const program = `
      const importDefault = (it) => (it && it.__esModule ? it : { default: it });
      console.log(${JSON.stringify(entries.map(([name]) => name))}.map((name) => typeof importDefault(require(name)).default).join());
    `;
    const { stdout, stderr } = await runToEnd(['-e', program], { cwd: root });
    assert.equal(stdout.trim(), 'object,object,function,object,object,object,object,object,object', stderr);
  });

  test('says in a browser that the package runs on servers only, and loads where a test simulates one', async () => {
    const inBrowser = `
      const { stdout } = process;
      delete globalThis.process;
      try { require('clustershazbot'); } catch ({ message }) { stdout.write(message); }
    `;
    const browser = await runToEnd(['--conditions=browser', '-e', inBrowser], { cwd: root });
    assert.match(browser.stdout, /^clustershazbot runs on servers only/);
    const load = "console.log(typeof require('clustershazbot').shazbotStart)";
    const simulated = await runToEnd(['--conditions=browser', '-e', load], { cwd: root });
    assert.equal(simulated.stdout.trim(), 'function', simulated.stderr);
  });
});

test('a router that is mounted without its call says so instead of never answering', () => {
  const { shazbotRouter } = require('../lib/express.js');
  const response = { end() {} };
  const mounted = /** @type {any} */ (shazbotRouter);
  assert.throws(() => mounted({}, response, () => {}), /app\.use\('\/clustershazbot', shazbotRouter\(\)\)/);
});
