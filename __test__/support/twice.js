'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { request } = require('../../harness/http.js');
const { freePorts } = require('../../harness/ports.js');
const { until } = require('../../harness/until.js');

/** @typedef {import('../../harness/program.js').Program} Started */

const SECRETS = { SHAZBOT_SECRET: 'gossip secret', SHAZBOT_CONTROL_SECRET: 'control secret' };
const control = { authorization: SECRETS.SHAZBOT_CONTROL_SECRET };

/** @param {string} baseUrl */
async function list(baseUrl) {
  const { status, json } = await request(`${baseUrl}clustershazbot/list`, { headers: control });
  assert.equal(status, 200);
  /** @param {{ baseUrl: string }[]} servers */
  const urls = (servers) => servers.map(({ baseUrl }) => baseUrl).sort();
  return { online: urls(json.online), offline: urls(json.offline) };
}

/** @param {string[]} baseUrls */
function know(...baseUrls) {
  return until(
    async () => {
      for (const baseUrl of baseUrls) assert.deepEqual((await list(baseUrl)).online, [...baseUrls].sort());
      return true;
    },
    { timeout: 20_000, what: 'all servers list all' },
  );
}

/**
 * Runs a program as two servers, which must find each other, refuse wrong requests, and leave in order.
 *
 * @param {string} folder where their master list is
 * @param {(env: NodeJS.ProcessEnv) => Started} begin
 * @param {(first: string, second: string) => unknown} [look] called with both base URLs, while both run
 */
async function runsTwice(folder, begin, look) {
  const ports = await freePorts(2);
  const [first, second] = /** @type {[string, string]} */ (ports.map((port) => `http://127.0.0.1:${port}/`));
  const servers = /** @type {[Started, Started]} */ (
    ports.map((port) =>
      begin({
        ...SECRETS,
        SHAZBOT_BASE_URL: `http://127.0.0.1:${port}/`,
        SHAZBOT_MASTER_LIST: pathToFileURL(path.join(folder, 'servers.json')).href,
        SHAZBOT_GOSSIP_INTERVAL: '0.5',
        PORT: String(port),
      }),
    )
  );
  try {
    await know(first, second);
    await refuses(first);
    await look?.(first, second);
    servers[1].child.kill('SIGTERM');
    // Nest ends by the signal that it got, once its hooks have run.
    assert.ok([0, 'SIGTERM'].includes(await ended(servers[1])));
    assert.deepEqual(await list(first), { online: [first], offline: [second] }, 'it said goodbye before it ended');
    servers[0].child.kill('SIGINT');
    assert.ok([0, 'SIGINT'].includes(await ended(servers[0])));
  } catch (error) {
    throw new Error(`${error}\nOutput:\n${servers.map(({ output }) => output).join('\n')}`, { cause: error });
  }
  return { first, outputs: servers.map(({ output }) => output) };
}

/** @param {Started} program */
async function ended({ child, exit }) {
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  await until(isOver, { timeout: 30_000, what: `${child.spawnargs.join(' ')} ends` });
  return exit;
}

/** @param {string} baseUrl */
async function refuses(baseUrl) {
  const gossip = { message: 'gossip', online: [] };
  const authorization = SECRETS.SHAZBOT_SECRET;
  /** @type {[string, Record<string, string>, object, number][]} */
  const cases = [
    ['gossip', { authorization: 'wrong' }, gossip, 401],
    ['gossip', {}, gossip, 401],
    ['gossip', { authorization }, { message: 'gossip' }, 400],
    ['control', { authorization }, { message: 'control', online: false }, 401],
    ['control', control, { message: 'control', online: 'no' }, 400],
  ];
  for (const [route, headers, body, expected] of cases) {
    const { status, text } = await request(`${baseUrl}clustershazbot/${route}`, { method: 'POST', headers, body });
    assert.equal(status, expected, `${route} ${JSON.stringify(body)}: ${text}`);
  }
}

/**
 * Free ports of which each is one more than the one before.
 *
 * @param {number} count
 */
async function portsInARow(count) {
  for (;;) {
    const ports = await freePorts(count);
    if (Number(ports.at(-1)) - Number(ports[0]) === count - 1) return ports;
  }
}

module.exports = { SECRETS, know, portsInARow, refuses, runsTwice };
