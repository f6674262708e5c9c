'use strict';

// Run with a Node that knows NODE_USE_ENV_PROXY: reads cases of NO_PROXY from stdin, and prints for each whether Node's two
// clients, http.request and fetch, would send a request directly. No request leaves this process.

const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const tls = require('node:tls');

/** @typedef {{ list: string, url: string }} Case */

/** @type {string | undefined} The host of the last connection. */
let connected;

/** @param {any[]} args */
function noteHost(...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  connected ??= String(options.servername === 'the-proxy' ? 'the-proxy' : (options.host ?? options.hostname));
  const socket = new net.Socket();
  process.nextTick(() => socket.destroy(new Error('no connection')));
  return socket;
}
net.connect = net.createConnection = /** @type {any} */ (noteHost);
tls.connect = /** @type {any} */ (noteHost);

function isDirect() {
  if (connected === undefined) throw new Error('there was no connection');
  return connected !== 'the-proxy';
}

/** @param {Case} one */
function byRequest({ list, url }) {
  connected = undefined;
  const client = url.startsWith('https') ? https : http;
  const proxyEnv = { HTTP_PROXY: 'http://the-proxy:1', HTTPS_PROXY: 'http://the-proxy:1', NO_PROXY: list };
  const agent = new client.Agent(/** @type {any} */ ({ proxyEnv }));
  return new Promise((resolve) => {
    const request = client.get(url, { agent });
    request.on('error', () => resolve(isDirect()));
  });
}

/** @param {Case} one */
async function byFetch({ list, url }) {
  connected = undefined;
  process.env.NO_PROXY = list;
  await fetch(url).catch(() => undefined);
  return isDirect();
}

async function main() {
  let text = '';
  for await (const chunk of process.stdin) text += chunk;
  const cases = /** @type {Case[]} */ (JSON.parse(text));
  const answers = [];
  for (const one of cases) answers.push({ request: await byRequest(one), fetch: false });
  for (const [index, one] of cases.entries()) Object.assign(answers[index] ?? {}, { fetch: await byFetch(one) });
  process.stdout.write(JSON.stringify(answers));
}

main();
