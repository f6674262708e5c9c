'use strict';

// The commands that ask a server once: list, status, online, offline, check.

const { printable } = require('../printable.js');
const { CommandError } = require('./command-error.js');
const { foldLeft } = require('./folding.js');
const { memberTable, rowsOfList, rowsOfStatus } = require('./member-table.js');
const { print, printError, printJson } = require('./output.js');
const { callRoute } = require('./server-routes.js');
const { formatDuration } = require('./terminal.js');

/** @typedef {{ server: import('./server-options.js').Server, json: boolean, colour: boolean, minOnline: number, all: boolean, tags: import('./tag-options.js').TagOptions }} Context */

/** @param {Context} context */
async function list({ server, json, colour, all, tags }) {
  // The list route does not have tags.
  if (tags.isUsed) return listWithTags({ server, json, colour, all, tags });
  const lists = await callRoute(server, 'list');
  if (json) {
    printJson(lists);
    return 0;
  }
  const left = lists.offline?.length ? await urlsThatLeft(server) : new Set();
  const rows = rowsOfList(lists).map((row) => (left.has(row.baseUrl) ? { ...row, state: 'left' } : row));
  const { shown, note } = foldLeft(rows, all);
  print([...memberTable(shown, { colour }), ...note].join('\n'));
  if (!lists.offline) {
    const problem = server.secret ? 'does not match' : 'is not set';
    printError(`The list of offline servers needs the control secret: ${server.secretFrom} ${problem}.`);
  }
  return 0;
}

/**
 * The list does not say why a server is offline; the status does.
 * @param {import('./server-options.js').Server} server
 * @returns {Promise<Set<string>>} empty if the server has no status route
 */
async function urlsThatLeft(server) {
  try {
    /** @type {import('../../index.js').ShazbotStatus} */
    const { members } = await callRoute(server, 'status');
    return new Set(members.filter(({ reason }) => reason === 'left').map(({ baseUrl }) => baseUrl));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return new Set();
  }
}

/** @param {Omit<Context, 'minOnline'>} context */
async function listWithTags({ server, json, colour, all, tags }) {
  /** @type {import('../../index.js').ShazbotStatus} */
  const status = await callRoute(server, 'status');
  const members = status.members.filter(tags.matches);
  if (json) {
    const pick = (/** @type {typeof members[0]} */ { baseUrl, monitor, lastUpdate, tags: own = {} }) => ({
      baseUrl,
      monitor,
      lastUpdate,
      tags: own,
    });
    const of = (/** @type {boolean} */ isOffline) =>
      members.filter(({ state }) => (state === 'offline') === isOffline).map(pick);
    printJson({ online: of(false), offline: of(true) });
  } else {
    const rows = rowsOfStatus({ ...status, members }, tags).map((row) => ({ ...row, why: '', protocol: '' }));
    const { shown, note } = foldLeft(rows, all);
    print([...memberTable(shown, { colour, tags: tags.shown }), ...note].join('\n'));
  }
  return 0;
}

/** @param {Context} context */
async function status({ server, json, colour, all, tags }) {
  /** @type {import('../../index.js').ShazbotStatus} */
  const whole = await callRoute(server, 'status');
  const answer = { ...whole, members: whole.members.filter(tags.matches) };
  if (json) printJson(answer);
  else {
    const summary = statusSummary(answer).map(printable);
    const { shown, note } = foldLeft(rowsOfStatus(answer, tags), all);
    print([...summary, '', ...memberTable(shown, { colour, tags: tags.shown }), ...note].join('\n'));
  }
  return 0;
}

/** @param {import('../../index.js').ShazbotStatus} status */
function statusSummary({ baseUrl, state, monitor, version, at, startedAt, exchanges, lastOut, lastIn, masterLists }) {
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
      const result = read ? `read ${ago(read)}, ${servers} servers` : 'never read';
      return `master list ${name}: ${result}${error ? `; ${failures} failures, the last: ${error}` : ''}`;
    }),
  ];
}

/**
 * @param {Context} context
 * @param {boolean} online
 */
async function control({ server, json }, online) {
  await callRoute(server, 'control', { message: 'control', online });
  if (json) printJson({ baseUrl: server.base.href, online });
  else if (online) print(`${server.base} is online again`);
  else print(`${server.base} is drained: it stays offline until the "online" command or its next start`);
  return 0;
}

/** @param {Context} context */
async function check({ server, json, minOnline }) {
  /** @type {import('../../index.js').ServerList} */
  const lists = await callRoute(server, 'list');
  const online = lists.online.length;
  const listsItself = lists.online.some(({ baseUrl }) => baseUrl === server.listedAs);
  const healthy = online >= minOnline;
  if (json) printJson({ healthy, online, minOnline, listsItself });
  else {
    const note = listsItself ? '' : '; the server does not list itself: it is drained or has another base URL';
    print(`${healthy ? 'healthy' : 'not healthy'}: ${online} online, at least ${minOnline} required${note}`);
  }
  return healthy ? 0 : 1;
}

/** @type {Record<string, (context: Context) => Promise<number>>} */
const commands = {
  list,
  status,
  online: (context) => control(context, true),
  offline: (context) => control(context, false),
  check,
};

module.exports = { commands };
