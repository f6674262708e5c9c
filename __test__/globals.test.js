'use strict';

// The package in a realm whose globals are those of a simulated browser, as in Jest with jsdom and in Vitest's vmThreads.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');

const { environment, fileList } = require('../harness/cluster.js');
const { freePorts } = require('../harness/ports.js');

/** Runs in a process of its own. @param {string} root @param {number} port */
function program(root, port) {
  const http = require('node:http');
  const vm = require('node:vm');
  const { createRequire } = require('node:module');

  // A realm of its own: its errors and arrays are not Node's, its timers are numbers, and it lacks what browsers lack.
  const context = vm.createContext({
    process,
    console,
    Buffer,
    setTimeout: () => 1,
    clearTimeout() {},
    setInterval: () => 1,
  });
  const inRealm = createRequire(path.join(root, 'index.js'));
  /** @type {Record<string, { exports: any }>} */
  const loaded = {};
  const load = (/** @type {string} */ file) => {
    const known = loaded[file];
    if (known) return known.exports;
    const module = { exports: {} };
    loaded[file] = module;
    const own = createRequire(file);
    const wrapped = `(function (exports, require, module, __filename, __dirname) {${require('node:fs').readFileSync(file, 'utf8')}\n})`;
    const request = (/** @type {string} */ id) => {
      const found = own.resolve(id);
      return path.isAbsolute(found) && found.endsWith('.js') && !found.includes('node_modules') ? load(found) : own(id);
    };
    vm.runInContext(wrapped, context, { filename: file })(module.exports, request, module, file, path.dirname(file));
    return module.exports;
  };
  const { shazbotStart, shazbotShutDown } = load(inRealm.resolve('./index.js'));
  const { shazbotRouter } = load(inRealm.resolve('./lib/express.js'));

  const route = shazbotRouter();
  const server = http.createServer((req, res) => {
    route(req, res);
  });
  server.listen(port, '127.0.0.1', async () => {
    const url = `http://127.0.0.1:${port}/clustershazbot`;
    const authorization = String(process.env.SHAZBOT_SECRET);
    await shazbotStart();
    const body = (/** @type {number} */ size) =>
      JSON.stringify({ message: 'gossip', online: [], pad: ' '.repeat(size) });
    const ask = (/** @type {string} */ text) =>
      fetch(`${url}/gossip`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: text,
      });
    const statuses = [];
    for (const text of [body(0), body(200_000), '{"message":', 'null']) statuses.push((await ask(text)).status);
    for (const name of ['list', 'status', '']) {
      const headers = { authorization: String(process.env.SHAZBOT_CONTROL_SECRET) };
      statuses.push((await fetch(`${url}/${name}`, { headers })).status);
    }
    await shazbotShutDown();
    console.log(JSON.stringify(statuses));
    server.close();
    server.closeAllConnections();
  });
}

test('with other timers, errors and arrays, and without TextDecoder, it answers gossip, lists and its page', async () => {
  const [port] = await freePorts(1);
  const root = path.join(__dirname, '..');
  const source = `const path = require('node:path'); (${program})(${JSON.stringify(root)}, ${port});`;
  const env = { ...process.env, ...environment(`http://127.0.0.1:${port}/`), ...fileList().env };
  const output = execFileSync(process.execPath, ['-e', source], { env, encoding: 'utf8', timeout: 30_000 });
  assert.deepEqual(JSON.parse(output), [200, 200, 400, 400, 200, 200, 200]);
});
