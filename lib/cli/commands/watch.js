'use strict';

// The `watch` command: the older name of `members --watch`.

const { Selection } = require('../selection.js');
const { serverOf } = require('../server-options.js');
const { watchMembers } = require('../watch.js');

/** @type {import('../commands.js').Command} */
const watch = {
  name: 'watch',
  aliases: [],
  usage: 'watch',
  summary: 'the same as members --watch',
  description: `Updates the table of members once a second until Ctrl-C. If the output is not a terminal, prints a line for each change
instead; with --json each line is a JSON value.`,
  options: ['url', 'secret-file', 'env-file', 'timeout', 'where', 'tags', 'all', 'json'],
  exits: '0 after Ctrl-C; 1 if the first request fails; 2 for wrong usage.',
  example: 'npx clustershazbot watch --where role=api --tags zone,version',
  async run(invocation) {
    const { values, json, colour } = invocation;
    const selection = new Selection(values);
    return watchMembers({ server: await serverOf(invocation), json, colour, selection });
  },
};

module.exports = { watch };
