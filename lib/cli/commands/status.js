'use strict';

// The `status` command: how one server sees itself, its exchanges and master lists, and the members.

const { printable } = require('../../printable.js');
const { print, printJson } = require('../output.js');
const { Selection } = require('../selection.js');
const { serverOf } = require('../server-options.js');
const { callRoute } = require('../server-routes.js');
const { formatCount, formatDuration, formatLine, terminalWidth } = require('../terminal.js');

/** @typedef {import('../../../index.js').ShazbotStatus & { warnings?: import('../warnings.js').Warning[] }} Status */

/** @type {import('../commands.js').Command} */
const status = {
  name: 'status',
  aliases: [],
  usage: 'status',
  summary: 'one server: its warnings, its exchanges, its master lists, and the members as it sees them',
  description: `Prints the warnings that hold now, how the server sees itself, its exchanges and master lists, and the members (see
members --help for the columns). Needs the ready-made routes and the control secret.`,
  options: ['url', 'secret-file', 'env-file', 'timeout', 'where', 'tags', 'all', 'json'],
  exits: '0; 1 if the server does not answer, rejects the secret or has no status route; 2 for wrong usage.',
  example: 'npx clustershazbot status --url http://app-1.internal:3000/',
  run,
};

/** @param {import('../commands.js').Invocation} invocation */
async function run(invocation) {
  const { values, json, colour } = invocation;
  const selection = new Selection(values);
  const server = await serverOf(invocation);
  /** @type {Status} */
  const answer = await callRoute(server, 'status');
  if (json) {
    printJson({ ...answer, members: answer.members.filter((member) => selection.tags.matches(member)) });
    return 0;
  }
  const warnings = (answer.warnings ?? []).map((warning) => warningLine(warning, answer.at, colour));
  const { table, note } = selection.table(selection.rows(answer), { colour, width: terminalWidth() });
  print([...warnings, ...summary(answer).map(printable), '', ...table, ...note].join('\n'));
  return 0;
}

/**
 * @param {import('../warnings.js').Warning} warning
 * @param {number} at
 * @param {boolean} colour
 */
function warningLine({ code, message, since }, at, colour) {
  const text = printable(` ${code} for ${formatDuration(at - since)}: ${message}`);
  return formatLine([['warning', 'yellow'], [text]], { colour });
}

/** @param {Status} status */
function summary({ baseUrl, state, monitor, version, at, startedAt, exchanges, lastOut, lastIn, masterLists }) {
  const { out, watches } = exchanges;
  const failed = out.refused + out.timedOut + out.unreachable + out.rejected + out.failed;
  const ago = (/** @type {number | undefined} */ time) =>
    time === undefined ? 'never' : `${formatDuration(at - time)} ago`;
  return [
    `${baseUrl} is ${state}${monitor ? ' (monitor)' : ''}; version ${version}, up for ${formatDuration(at - startedAt)}`,
    `exchanges: ${out.answered} answered, ${failed} attempts failed; last sent ${ago(lastOut?.at)}, last received ${ago(lastIn?.at)}`,
    // A server of an earlier version has none.
    ...(watches
      ? [
          `watches: ${watches.open} open, ${watches.closed} closed, ${watches.vanished} vanished; ${watches.probes} probes`,
        ]
      : []),
    ...masterLists.map(({ name, read, servers, error, failures }) => {
      const result = read ? `read ${ago(read)}, ${formatCount(servers, 'server')}` : 'never read';
      return `master list ${name}: ${result}${error ? `; ${failures} failures, the last: ${error}` : ''}`;
    }),
  ];
}

module.exports = { status };
