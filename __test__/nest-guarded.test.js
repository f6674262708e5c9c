'use strict';

// The Nest module in an application with global guards, a throttler, a pipe and an OpenAPI document of @nestjs/swagger.

const assert = require('node:assert/strict');
const { before, describe, test } = require('node:test');

const { SECRET, fileList } = require('../harness/cluster.js');
const { message } = require('../harness/gossip.js');
const { request } = require('../harness/http.js');
const { until } = require('../harness/until.js');
const { compileNest } = require('./support/nest.js');
const { startProgram } = require('./support/programs.js');

describe('the Nest module in an application with global guards', () => {
  let main = '';
  before(() => {
    main = compileNest('nest-guarded');
  });

  for (const [name, env] of /** @type {[string, Record<string, string>][]} */ ([
    ['with the option `decorators` of forRoot', { EXEMPT: 'option' }],
    ['with the option `decorators` of forRootAsync, on Fastify', { EXEMPT: 'option', PLATFORM: 'fastify' }],
    ['with a decorator that is called with the controller', { EXEMPT: 'call' }],
  ])) {
    test(`is exempt from a guard ${name}, and from the throttler and the pipe without it`, async (t) => {
      const server = await startProgram(t, [main], { env: { ...fileList().env, ...env } });
      const headers = { authorization: SECRET };
      for (let i = 0; i < 3; i++) {
        const list = await request(`${server.baseUrl}clustershazbot/list`);
        assert.equal(list.status, 200, list.text);
        const url = `${server.baseUrl}clustershazbot/gossip`;
        const gossip = await request(url, { method: 'POST', headers, body: message() });
        assert.equal(gossip.status, 200, gossip.text);
      }
      const put = await request(`${server.baseUrl}clustershazbot/list`, { method: 'PUT' });
      assert.deepEqual([put.status, put.headers.allow], [405, 'GET, HEAD, OPTIONS']);
      const statuses = [];
      for (let i = 0; i < 2; i++) statuses.push((await request(`${server.baseUrl}cats`)).status);
      assert.deepEqual(statuses, [500, 429], 'the pipe and the throttler of the application');
      assert.deepEqual(Object.keys(JSON.parse(String(server.stdout.match(/^\{.*\}$/m)))), ['/cats']);
    });
  }

  test('is refused by a guard from which it is not exempt', async (t) => {
    const server = await startProgram(t, [main], { env: fileList().env, wait: false });
    const url = `${server.baseUrl}clustershazbot/list`;
    await until(async () => (await request(url)).status === 401, { what: 'the guard refuses' });
  });
});
