'use strict';

// The `check` command: a health check for containers.

const { CommandError } = require('../command-error.js');
const { print, printJson } = require('../output.js');
const { serverOf } = require('../server-options.js');
const { callRoute } = require('../server-routes.js');

/** @type {import('../commands.js').Command} */
const check = {
  name: 'check',
  aliases: [],
  usage: 'check',
  summary: 'health check: does the server answer, and does it list enough servers online?',
  description:
    'Asks the server for its list. Needs no secret, unless SHAZBOT_LIST_AUTH is required. A drained server is healthy.',
  options: ['url', 'secret-file', 'env-file', 'timeout', 'min-online', 'json'],
  exits: '0 healthy; 1 not healthy, or no answer; 2 wrong usage.',
  example:
    'node node_modules/clustershazbot/bin/clustershazbot.js check --min-online 2     # HEALTHCHECK of a container',
  run,
};

/** @param {import('../commands.js').Invocation} invocation */
async function run(invocation) {
  const text = invocation.values['min-online'] ?? '1';
  if (!/^\d+$/.test(text)) throw new CommandError('--min-online must be a whole number', 2);
  const minOnline = Number(text);
  const server = await serverOf(invocation);
  /** @type {import('../../../index.js').ServerList} */
  const lists = await callRoute(server, 'list');
  const online = lists.online.length;
  const listsItself = lists.online.some(({ baseUrl }) => baseUrl === server.listedAs);
  const healthy = online >= minOnline;
  if (invocation.json) printJson({ healthy, online, minOnline, listsItself });
  else {
    const note = listsItself ? '' : '; the server does not list itself: it is drained or has another base URL';
    print(`${healthy ? 'healthy' : 'not healthy'}: ${online} online, at least ${minOnline} required${note}`);
  }
  return healthy ? 0 : 1;
}

module.exports = { check };
