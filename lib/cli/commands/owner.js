'use strict';

// The commands `owner` and `pick`: which server owns a key, and which one to send a request to.

const { randomInt } = require('node:crypto');
const { printable } = require('../../printable.js');
const { CommandError } = require('../command-error.js');
const { print, printJson } = require('../output.js');
const { isSettled, mayOwn, ownersOf } = require('../ownership.js');
const { serverOf } = require('../server-options.js');
const { callRoute } = require('../server-routes.js');
const { tagOptions } = require('../tag-options.js');
const { formatCount, formatTable } = require('../terminal.js');

/** @typedef {import('../commands.js').Invocation} Invocation */
/** @typedef {import('../../../index.js').ShazbotStatus} Status */

const UNSETTLED =
  'no: a server came, went or changed in the last two gossip intervals, or is suspected; others may see another owner';

/** @type {import('../commands.js').Command} */
const owner = {
  name: 'owner',
  aliases: [],
  usage: 'owner KEY',
  summary: 'the server that owns a key, as shazbotOwner computes it; --count N: the next owners, too',
  description: `Computes the owner of KEY from the list of one server, as shazbotOwner and @OnOneServer do in the programs: give the same --where
and --min-online. Servers that are not ready or drained own nothing.

  settled  no: others may see another owner, since a server came, went or changed in the last two gossip intervals, or one is
           suspected`,
  options: ['url', 'secret-file', 'env-file', 'timeout', 'where', 'min-online', 'count', 'json'],
  argument: true,
  exits: '0; 1 if nobody owns the key, or if the server does not answer or rejects the secret; 2 for wrong usage.',
  example: 'npx clustershazbot owner nightly --where role=worker --count 2',
  run: runOwner,
};

/** @type {import('../commands.js').Command} */
const pick = {
  name: 'pick',
  aliases: [],
  usage: 'pick',
  summary: 'a server to send a request to, as shazbotPick chooses it',
  description: `Prints the base URL of a server that is online and ready: a random one, or with --key the owner of the key. Prints a server that
is suspected only if all are.`,
  options: ['url', 'secret-file', 'env-file', 'timeout', 'where', 'key', 'json'],
  exits:
    '0; 1 if no server that matches is online and ready, or if the server does not answer or rejects the secret; 2 for wrong usage.',
  example: 'curl "$(npx clustershazbot pick --where role=api)orders/7"',
  run: runPick,
};

/** @param {Invocation} invocation */
async function runOwner(invocation) {
  const { argument: key, values, json, colour } = invocation;
  if (key === undefined) throw new CommandError('owner needs a key: owner nightly', 2);
  const count = wholeNumber('count', values.count);
  if (count === 0) throw new CommandError('--count must be at least 1', 2);
  const minOnline = wholeNumber('min-online', values['min-online']);
  const { status, matching } = await read(invocation);
  const online = matching.filter(({ state }) => state !== 'offline').length;
  if (online < minOnline) {
    throw new CommandError(
      `Nobody owns the key: ${formatCount(online, 'server')} online, at least ${minOnline} required`,
    );
  }
  const owners = ownersOf(key, urlsOf(matching.filter(mayOwn))).slice(0, count);
  if (owners.length === 0) throw new CommandError('Nobody owns the key: no server that matches is online and ready');
  // A server of an older version may lack the events.
  const settled = Array.isArray(status.recent) ? isSettled(status, status.at) : undefined;
  if (json) printJson({ key, owner: owners[0], owners, settled });
  else print(formatTable(rowsOf(owners, settled), { colour }).join('\n'));
  return 0;
}

/** @param {Invocation} invocation */
async function runPick(invocation) {
  const { values, json } = invocation;
  const { matching } = await read(invocation);
  const usable = matching.filter(mayOwn);
  const answering = usable.filter(({ state }) => state !== 'suspect');
  const urls = urlsOf(answering.length > 0 ? answering : usable);
  if (urls.length === 0) throw new CommandError('No server that matches is online and ready');
  const picked = String(values.key === undefined ? urls[randomInt(urls.length)] : ownersOf(values.key, urls)[0]);
  if (json) printJson({ picked });
  else print(printable(picked));
  return 0;
}

/**
 * @param {Invocation} invocation
 * @returns {Promise<{ status: Status, matching: Status['members'] }>} matching: the members with the tags of --where
 */
async function read(invocation) {
  const { matches } = tagOptions({ where: invocation.values.where });
  const server = await serverOf(invocation);
  /** @type {Status} */
  const status = await callRoute(server, 'status');
  return { status, matching: status.members.filter(matches) };
}

/** @param {Status['members']} members */
const urlsOf = (members) => members.map(({ baseUrl }) => baseUrl);

/**
 * @param {string[]} owners
 * @param {boolean | undefined} settled
 * @returns {import('../terminal.js').Cell[][]}
 */
function rowsOf(owners, settled) {
  const urls = owners.map((url, i) => [i === 0 ? 'owner' : 'next', printable(url)]);
  const rows = settled === undefined ? urls : [...urls, ['settled', settled ? 'yes' : UNSETTLED]];
  return rows.map(([name = '', text = '']) => [[name, 'dim'], [text]]);
}

/**
 * @param {'count' | 'min-online'} option
 * @param {string} [text]
 */
function wholeNumber(option, text = '1') {
  if (!/^\d+$/.test(text)) throw new CommandError(`--${option} must be a whole number`, 2);
  return Number(text);
}

module.exports = { owner, pick };
