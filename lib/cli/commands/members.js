'use strict';

// The `members` command: all members of the cluster, as one server sees them.

const { print, printJson } = require('../output.js');
const { viewReader } = require('../members.js');
const { Selection } = require('../selection.js');
const { serverOf } = require('../server-options.js');
const { terminalWidth } = require('../terminal.js');
const { watchMembers } = require('../watch.js');

/** @type {import('../commands.js').Command} */
const members = {
  name: 'members',
  aliases: [],
  usage: 'members',
  summary: 'the members, with their state, since when, why, and when they were last seen',
  description: `Prints the members of the cluster as one server sees them.

  NAME     the base URL
  STATE    online; suspect: online, but it does not answer this server; drained: taken out by the drain command;
           failed: the others cannot reach it; left: shut down in order; offline: the reason is not known
  FOR      how long it has been in this state
  WHY      why a member failed or is suspected
  VERSION  version of this package; with --tags, the values of these tags instead
  SEEN     when the server last had an answer or a message of it

A column without any value is left out: servers of older versions do not have them all.`,
  options: [
    'url',
    'secret-file',
    'env-file',
    'timeout',
    'state',
    'where',
    'tags',
    'sort',
    'all',
    'output',
    'watch',
    'json',
  ],
  exits: '0; 1 if the server does not answer or rejects the secret; 2 for wrong usage.',
  example: 'npx clustershazbot members --state failed,suspect --sort for -o wide',
  run,
};

/** @param {import('../commands.js').Invocation} invocation */
async function run(invocation) {
  const { values, json, colour } = invocation;
  const selection = new Selection(values);
  const server = await serverOf(invocation);
  if (values.watch) return watchMembers({ server, json, colour, selection });
  const view = await viewReader(server, selection.tags.isUsed)();
  const rows = selection.rows(view);
  if (json) {
    const selected = rows.filter(({ state }) => selection.hasState(state)).map(({ member }) => member);
    printJson({ baseUrl: view.baseUrl, at: view.at, members: selected });
    return 0;
  }
  const { table, note } = selection.table(rows, { colour, width: terminalWidth() });
  print([...table, ...note].join('\n'));
  return 0;
}

module.exports = { members };
