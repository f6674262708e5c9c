'use strict';

// Checks of the members: which of them do not answer, as which servers find, and which do not list this server.

const { adviceFor, isDown } = require('../causes.js');
const { conclusion, isAlive } = require('../conclusion.js');
const { stateOf } = require('../members.js');
const { parseBaseUrl } = require('../server-options.js');
const { formatCount, formatDuration } = require('../terminal.js');
const { baseUrlsOf } = require('./facts.js');
const { listsServer, nameUrls } = require('./urls.js');

/** @typedef {import('../commands/doctor.js').Finding} Finding */
/** @typedef {import('./facts.js').Facts} Facts */
/** @typedef {import('../survey.js').Asked} Asked */
/** @typedef {{ baseUrl: string, at: number, member?: import('../members.js').Member }} View */

const check = 'members';

/**
 * A row for each server that does not answer, from here or as others report, and one for all that do.
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkMembers(facts) {
  const { own, others, places, isValid, passedOver, target } = facts;
  if (!isValid) {
    return [{ result: 'warn', check, found: 'other servers are asked only once the environment is valid' }];
  }
  const ownUrl = target.listedAs ? new URL(target.listedAs) : own.url;
  const rows = [...memberFinding(own, facts, ownUrl), ...others.flatMap((asked) => memberFinding(asked, facts))];
  const answering = others.filter(({ answers, problem }) => answers && !problem).length;
  const wrongPlaces = places.filter(({ problem }) => problem?.code.startsWith('HTTP_')).flatMap(placeFinding);
  if (others.length === 0) {
    return [nobodyAsked(facts), ...wrongPlaces];
  }
  const rest = passedOver.more > 0 ? `; ${passedOver.more} more were not asked` : '';
  // Without its base URL this server itself is among them.
  const noun = target.listedAs ? 'other servers' : 'servers';
  const found = `${answering} of ${others.length} ${noun} answer as members${rest}`;
  return [{ result: answering === others.length ? 'ok' : 'warn', check, found }, ...rows, ...wrongPlaces];
}

/**
 * Why no other server was asked.
 * @param {Facts} facts
 * @returns {Finding}
 */
function nobodyAsked({ own, masterLists, places, passedOver: { left, ignored } }) {
  const reasons = [
    left > 0 && `${left} left in order`,
    ignored > 0 && `${ignored} may not be listed: see SHAZBOT_ALLOWED_ORIGINS in docs/configuration.md`,
    places.length > 0 && `DNS leads to ${formatCount(places.length, 'place')}`,
  ].filter(Boolean);
  if (reasons.length > 0) {
    return { result: 'warn', check, found: `no other server to ask: ${reasons.join('; ')}` };
  }
  const hasList = [...masterLists, ...(own.status?.masterLists ?? [])].some(({ error }) => !error);
  const advice = 'Normal for the first server. Otherwise give all servers the same SHAZBOT_MASTER_LIST.';
  if (own.list || own.status) {
    const found = hasList
      ? 'neither the master list nor this server names another server'
      : 'this server lists no other server, and no master list was read';
    return { result: 'warn', check, found, advice };
  }
  const found = hasList
    ? 'the master list names no other server, and this server did not show its list'
    : 'no list was read, neither a master list nor that of this server';
  return { result: 'warn', check, found, ...(hasList && { advice }) };
}

/**
 * @param {Asked} asked
 * @param {Facts} facts
 * @param {URL} [url] its base URL
 * @returns {Finding[]}
 */
function memberFinding(asked, { own, others }, url = asked.url) {
  const { problem } = asked;
  const views = viewsOf(url, [own, ...others]);
  const members = views.flatMap(({ baseUrl, member }) => (member && baseUrl !== url.href ? [member] : []));
  const reports = views.filter(({ baseUrl, member }) => member && baseUrl !== url.href && isFailing(member));
  const isListed = members.some(({ state }) => state !== 'offline');
  const [first] = reports;
  if (!first?.member) {
    // The check of the base URL reports what answers there.
    if (!problem || asked === own) return [];
    const result = isListed || isDown(problem.code) ? 'warn' : 'fail';
    return [{ result, check, found: `${url.href}: ${problem.text}`, advice: adviceFor(problem.code, url) }];
  }
  const codes = [...members.map(({ lastError }) => lastError?.code), problem?.code].flatMap((code) => code ?? []);
  const runs = (asked.answers && !problem) || members.some(isAlive) || !codes.every(isDown);
  const { member, at } = first;
  const since = member.changedAt ? ` for ${formatDuration(at - member.changedAt)}` : '';
  const by = reports.map(({ baseUrl }) => baseUrl);
  return [
    {
      // A server that is down is not kept apart, and one that is still listed online may answer again.
      result: runs && !isListed ? 'fail' : 'warn',
      check,
      found: `${url.href}: ${stateOf(member)}${since}, as ${nameUrls(by)} ${by.length === 1 ? 'reports' : 'report'}`,
      advice: conclusion(url, views, asked),
    },
  ];
}

/** @param {import('../members.js').Member} member */
const isFailing = (member) => Boolean(member.lastError) || ['failed', 'suspect', 'offline'].includes(stateOf(member));

/**
 * What the servers with a status say of this one.
 * @param {URL} url
 * @param {Asked[]} asked
 * @returns {View[]}
 */
function viewsOf(url, asked) {
  return asked.flatMap((it) => {
    if (!it.status) return [];
    const member = it.status.members.find(({ baseUrl }) => parseBaseUrl(baseUrl)?.href === url.href);
    return [{ baseUrl: it.url.href, at: it.status.at, ...(member && { member }) }];
  });
}

/**
 * @param {Asked} asked
 * @returns {Finding[]}
 */
function placeFinding({ url, problem }) {
  if (!problem) return [];
  const advice = adviceFor(problem.code, url);
  return [{ result: 'fail', check: 'master list', found: `${url.href}, where DNS leads to: ${problem.text}`, advice }];
}

/**
 * Whether the others list this server at all. Those that list it as failed are in a row of its own.
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkListed({ others, target: { listedAs }, own }) {
  if (own.status?.state === 'drained' || !listedAs) return [];
  const lists = others.flatMap(({ url, list, status }) => (list ? [{ url, list, status }] : []));
  if (lists.length === 0) return [];
  const missing = lists.filter(({ list, status }) => {
    const known = status?.members.map(({ baseUrl }) => baseUrl) ?? baseUrlsOf(list);
    return !listsServer(known, listedAs);
  });
  const count = `${lists.length - missing.length} of ${lists.length} other servers list this one`;
  if (missing.length === 0) return [{ result: 'ok', check: 'listed', found: count }];
  const advice =
    'SHAZBOT_SECRET, SHAZBOT_AUTH, SHAZBOT_CLUSTER or SHAZBOT_ALLOWED_ORIGINS differs there, or SHAZBOT_BASE_URL does not lead here from there.';
  const found = `${count}; not ${nameUrls(missing.map(({ url }) => url.href))}`;
  return [{ result: missing.length === lists.length ? 'fail' : 'warn', check: 'listed', found, advice }];
}

module.exports = { checkListed, checkMembers };
