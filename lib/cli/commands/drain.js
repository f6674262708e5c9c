'use strict';

// The commands `drain` and `undrain`, whose older names are `offline` and `online`.

const { print, printJson } = require('../output.js');
const { serverOf } = require('../server-options.js');
const { callRoute } = require('../server-routes.js');

/** @type {Pick<import('../commands.js').Command, 'options' | 'exits' | 'argument'>} */
const shared = {
  options: ['url', 'secret-file', 'env-file', 'timeout', 'json'],
  argument: true,
  exits: '0; 1 if the server does not answer or rejects the secret; 2 for wrong usage.',
};

/** @type {import('../commands.js').Command} */
const drain = {
  ...shared,
  name: 'drain',
  aliases: ['offline'],
  usage: 'drain [URL]',
  summary: 'takes a server out: all others list it offline, and it keeps running',
  description: `Drains the server at URL, by default the one at --url. All members list it as drained, and it keeps running and gossiping.
That lasts until undrain, or until its next start.`,
  example: 'npx clustershazbot drain http://app-1.internal:3000/',
  run: (invocation) => control(invocation, false),
};

/** @type {import('../commands.js').Command} */
const undrain = {
  ...shared,
  name: 'undrain',
  aliases: ['online'],
  usage: 'undrain [URL]',
  summary: 'puts a drained server back online',
  description: 'Puts the drained server at URL back online, by default the one at --url.',
  example: 'npx clustershazbot undrain http://app-1.internal:3000/',
  run: (invocation) => control(invocation, true),
};

/**
 * @param {import('../commands.js').Invocation} invocation
 * @param {boolean} online
 */
async function control({ values, env, json, argument }, online) {
  const server = await serverOf({ values: { ...values, url: argument ?? values.url }, env });
  const wasOnline = online && !json && (await isOnline(server));
  await callRoute(server, 'control', { message: 'control', online });
  if (json) printJson({ baseUrl: server.base.href, online });
  else if (wasOnline) print(`${server.base} was not drained: it stays online`);
  else if (online) print(`${server.base} is online again`);
  else print(`${server.base} is drained: it stays offline until the "undrain" command or its next start`);
  return 0;
}

/**
 * False if the server does not say so: version 1 has no status.
 * @param {import('../server-options.js').Server} server
 */
const isOnline = (server) =>
  callRoute(server, 'status').then(
    ({ state }) => state === 'online',
    () => false,
  );

module.exports = { drain, undrain };
