'use strict';

// clustershazbot/undici with undici 6, whose handlers have another interface than those of undici 7.

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');

const { projectOf, runToEnd, write } = require('./support/programs.js');

/** Two servers: one answers, and one breaks each connection when it has read the request. Prints how often each got one. */
const PROGRAM = `
  import http from 'node:http';
  import { request } from 'undici';
  import { createFakeCluster } from 'clustershazbot/testing';
  import { ShazbotDispatcher } from 'clustershazbot/undici';

  const controller = new AbortController();
  const received = { breaks: [], answers: [] };
  const start = async (name, answer) => {
    const server = http.createServer((req, res) => {
      received[name].push(req.method);
      if (req.url.endsWith('/hang')) return controller.abort(new Error('enough'));
      req.resume().on('end', () => answer(res));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return 'http://127.0.0.1:' + server.address().port + '/' + name + '/';
  };
  const online = [
    await start('breaks', (res) => res.destroy()),
    await start('answers', (res) => res.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => res.end('answer'))),
  ];
  createFakeCluster({ online });
  const dispatcher = new ShazbotDispatcher({ attempts: 2 });
  const outcome = async (options, path = 'orders') => {
    try {
      const { statusCode, body } = await request('http://cluster/' + path, { dispatcher, ...options });
      return statusCode + ' ' + (await body.text());
    } catch (error) {
      return error.code ?? error.name;
    }
  };
  const outcomes = {};
  outcomes.get = [];
  for (let i = 0; i < 20; i++) outcomes.get.push(await outcome({ method: 'GET' }));
  const { length: broken } = received.breaks;
  outcomes.answered = received.answers.length;
  outcomes.post = [];
  for (let i = 0; i < 20; i++) outcomes.post.push(await outcome({ method: 'POST', body: 'an order' }));
  outcomes.posts = [...received.breaks, ...received.answers].filter((method) => method === 'POST').length;
  const before = received.breaks.length + received.answers.length;
  await outcome({ method: 'GET', signal: controller.signal }, 'hang');
  outcomes.hanging = received.breaks.length + received.answers.length - before;
  console.log(JSON.stringify({ ...outcomes, broken }));
  process.exit();
`;

test('with undici 6 a GET is tried at another server, and a POST or a request that is aborted is sent once', async () => {
  const directory = projectOf('undici-6', 'express4');
  write(directory, { 'package.json': { type: 'module' }, 'main.mjs': PROGRAM });
  const { code, stdout, stderr } = await runToEnd([path.join(directory, 'main.mjs')]);
  assert.equal(code, 0, stderr);
  const { get, post, posts, hanging, broken, answered } = JSON.parse(stdout);
  assert.deepEqual(new Set(get), new Set(['200 answer']));
  assert.ok(broken > 0 && answered === 20, `${broken} broken, ${answered} answered`);
  assert.deepEqual(new Set(post), new Set(['200 answer', 'UND_ERR_SOCKET']));
  assert.deepEqual({ posts, hanging }, { posts: 20, hanging: 1 });
});
