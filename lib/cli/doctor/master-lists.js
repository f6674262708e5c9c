'use strict';

// Checks of the master lists, as they are read from here and as the server reports them.

const { stateOf } = require('../members.js');
const { isLoopback, parseBaseUrl } = require('../server-options.js');
const { formatCount } = require('../terminal.js');
const { redactUrl } = require('./list-files.js');
const { listsServer } = require('./urls.js');

/** @typedef {import('../commands/doctor.js').Finding} Finding */

const check = 'master list';
const REMEDY =
  'Correct SHAZBOT_MASTER_LIST or SHAZBOT_MASTER_LIST_AUTH, or make the store reachable: see docs/master-list.md.';
/** Then the machine is up. */
const ANSWERED = /answers? \d{3}|answered \d{3}/;
const COMPARE = 'Compare with the row above: the server may run as another user, or on another network.';

/**
 * @param {import('./facts.js').Facts} facts
 * @returns {Finding[]}
 */
function checkMasterLists({ masterLists, own, target: { listedAs } }) {
  return masterLists.flatMap((list) => {
    const name = redactUrl(list.url);
    if (list.error) {
      const hasOther = masterLists.some(({ error }) => !error);
      return [unread(name, list.error, REMEDY, hasOther ? memberDownAt(list.url, own) : undefined)];
    }
    /** @type {Finding[]} */
    const findings = [{ result: 'ok', check, found: `${name}: ${description(list, listedAs)}` }];
    const [first] = list.ignored;
    if (first) {
      const example = `for example ${redactUrl(first.url)}: ${first.reason}`;
      const found = `${name}: this server ignores ${list.ignored.length} of them, ${example}`;
      const advice = 'Take such entries out of the list, or allow them with SHAZBOT_ALLOWED_ORIGINS.';
      findings.push({ result: 'warn', check, found, advice });
    }
    return findings;
  });
}

/**
 * @param {import('./facts.js').MasterListFacts} list
 * @param {string | undefined} listedAs
 */
function description({ state, urls }, listedAs) {
  if (state === 'missing') return 'does not exist yet: the first server writes it';
  if (state === 'empty') return 'is empty: the first server writes it';
  const count = `names ${formatCount(urls.length, 'server')}`;
  if (urls.length === 0 || !listedAs) return count;
  return `${count}, ${listsServer(urls, listedAs) ? 'including this one' : 'but not this one'}`;
}

/**
 * A list that cannot be read.
 * @param {string} where
 * @param {string} error
 * @param {string} advice
 * @param {import('../members.js').Member} [down] a member on its machine that explains it
 * @returns {Finding}
 */
function unread(where, error, advice, down) {
  const found = `${where}: ${error}`;
  if (!down || ANSWERED.test(error)) return { result: 'fail', check, found, advice };
  const text = `It is on the machine of ${down.baseUrl}, which is offline. New servers use the other lists meanwhile.`;
  return { result: 'warn', check, found, advice: text };
}

/**
 * A member on the host of a list, if no member there is up.
 * @param {string} list
 * @param {import('../survey.js').Asked} own
 * @returns {import('../members.js').Member | undefined}
 */
function memberDownAt(list, { status }) {
  const host = parseBaseUrl(list)?.hostname;
  if (host === undefined || isLoopback(host)) return undefined;
  const there = (status?.members ?? []).filter(({ baseUrl }) => parseBaseUrl(baseUrl)?.hostname === host);
  const isDown = (/** @type {import('../members.js').Member} */ it) => ['failed', 'left'].includes(stateOf(it));
  return there.every(isDown) ? there[0] : undefined;
}

/**
 * What the server itself reports: it may run as another user or on another network than this command, or have its lists in code.
 * @param {import('./facts.js').Facts} facts
 * @returns {Finding[]}
 */
function checkMasterListsOfServer({ own, masterLists }) {
  const { url, status } = own;
  const wasRead = masterLists.length > 0;
  /** @type {Finding[]} */
  const findings = [];
  for (const { name, servers, error } of status?.masterLists ?? []) {
    const where = `${name}, as ${url.href} reports`;
    if (error) {
      const hasOther = status?.masterLists.some((other) => !other.error);
      findings.push(unread(where, error, wasRead ? COMPARE : REMEDY, hasOther ? memberDownAt(name, own) : undefined));
    } else if (!wasRead && servers !== undefined)
      findings.push({ result: 'ok', check, found: `${where}: names ${formatCount(servers, 'server')}` });
  }
  return findings;
}

module.exports = { checkMasterLists, checkMasterListsOfServer };
