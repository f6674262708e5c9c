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
});
