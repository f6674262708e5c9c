'use strict';

// The `list` command: the lists of online and offline servers, also without a secret or a status route.

const { CommandError } = require('../command-error.js');
const { viewOfList } = require('../members.js');
const { print, printError, printJson } = require('../output.js');
const { Selection } = require('../selection.js');
const { serverOf } = require('../server-options.js');
const { callRoute } = require('../server-routes.js');
const { terminalWidth } = require('../terminal.js');

/** @type {import('../commands.js').Command} */
const list = {
  name: 'list',
  aliases: [],
  usage: 'list',
  summary: 'the same as members, but also without the control secret: then only the servers that are online',
  description: `Prints the same table as members. Without the control secret, or from a server without a status route, it has only
the names and states. --json prints the answer of the list route: {"online": […], "offline": […]}.`,
  options: ['url', 'secret-file', 'env-file', 'timeout', 'where', 'tags', 'all', 'json'],
  exits: '0; 1 if the server does not answer; 2 for wrong usage.',
  example: 'npx clustershazbot list --json --url http://app-1.internal:3000/',
  run,
};

/** @param {import('../commands.js').Invocation} invocation */
async function run(invocation) {
  const { values, json, colour } = invocation;
  const selection = new Selection(values);
  const server = await serverOf(invocation);
  // The list route does not have tags.
  if (json && selection.tags.isUsed) {
    printJson(listsWithTags(await callRoute(server, 'status'), selection));
    return 0;
  }
  if (json) {
    printJson(await callRoute(server, 'list'));
    return 0;
  }
  const { view, hasOffline } = await readView(server, selection.tags.isUsed);
  const { table, note } = selection.table(selection.rows(view), { colour, width: terminalWidth() });
  print([...table, ...note].join('\n'));
  if (!hasOffline) {
    const problem = server.secret ? 'does not match' : 'is not set';
    printError(`The list of offline servers needs the control secret: ${server.secretFrom} ${problem}.`);
  }
  return 0;
}

/**
 * @param {import('../server-options.js').Server} server
 * @param {boolean} needsStatus
 * @returns {Promise<{ view: import('../members.js').View, hasOffline: boolean }>}
 */
async function readView(server, needsStatus) {
  try {
    return { view: await callRoute(server, 'status'), hasOffline: true };
  } catch (error) {
    const kind = error instanceof CommandError ? error.kind : undefined;
    if (needsStatus || (kind !== 'wrong secret' && kind !== 'no status')) throw error;
    /** @type {import('../../../index.js').ServerList} */
    const lists = await callRoute(server, 'list');
    return { view: viewOfList(lists, server), hasOffline: lists.offline !== undefined };
  }
}

/**
 * @param {import('../../../index.js').ShazbotStatus} status
 * @param {InstanceType<typeof Selection>} selection
 */
function listsWithTags({ members }, { tags }) {
  const entries = (/** @type {boolean} */ isOffline) =>
    members
      .filter((member) => tags.matches(member) && (member.state === 'offline') === isOffline)
      .map(({ baseUrl, monitor, lastUpdate, tags: own = {} }) => ({ baseUrl, monitor, lastUpdate, tags: own }));
  return { online: entries(false), offline: entries(true) };
}

module.exports = { list };
