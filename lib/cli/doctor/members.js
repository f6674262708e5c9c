'use strict';

// Checks of the members: which of them do not answer, as which servers find, and which do not list this server.

const { adviceFor, isDown } = require('../causes.js');
const { conclusion } = require('../conclusion.js');
const { stateOf } = require('../members.js');
const { parseBaseUrl } = require('../server-options.js');
const { formatDuration } = require('../terminal.js');
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
  const { own, others, places, isValid, notAsked } = facts;
  if (!isValid) {
    return [{ result: 'warn', check, found: 'other servers are asked only once the environment is valid' }];
  }
  const rows = [own, ...others].flatMap((asked) => memberFinding(asked, facts));
  const answering = others.filter(({ answers, problem }) => answers && !problem).length;
  const wrongPlaces = places.filter(({ problem }) => problem?.code.startsWith('HTTP_')).flatMap(placeFinding);
  if (others.length === 0) {
    const found = 'neither the master list nor this server names another server';
    const advice = 'Normal for the first server. Otherwise give all servers the same SHAZBOT_MASTER_LIST.';
    return [{ result: 'warn', check, found, advice }, ...wrongPlaces];
  }
  const rest = notAsked > 0 ? `; ${notAsked} more were not asked` : '';
  const found = `${answering} of ${others.length} other servers answer as members${rest}`;
  return [{ result: answering > 0 ? 'ok' : 'warn', check, found }, ...rows, ...wrongPlaces];
}

/**
 * @param {Asked} asked
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function memberFinding(asked, { own, others }) {
  const { url, problem } = asked;
  const views = viewsOf(url, [own, ...others]);
  const members = views.flatMap(({ at, baseUrl, member }) => (member && baseUrl !== url.href ? [{ at, member }] : []));
  const failing = members.filter(({ member }) => member.lastError || ['failed', 'suspect'].includes(stateOf(member)));
  // The check of the base URL reports what answers there.
  if (failing.length === 0 && (!problem || asked === own)) return [];
  const [first] = failing;
  if (!first) {
    const { code, text } = /** @type {import('../survey.js').Problem} */ (problem);
    return [
      {
        result: resultOf([code], members.length > 0),
        check,
        found: `${url.href}: ${text}`,
        advice: adviceFor(code, url),
      },
    ];
  }
  const codes = failing.flatMap(({ member }) => member.lastError?.code ?? []);
  const isOnline = members.some(({ member }) => member.state === 'online');
  const { member, at } = first;
  const since = member.changedAt ? ` for ${formatDuration(at - member.changedAt)}` : '';
  return [
    {
      result:
        asked.answers && !problem && !isOnline ? 'fail' : resultOf([...codes, problem?.code ?? []].flat(), isOnline),
      check,
      found: `${url.href}: ${stateOf(member)}${since}, as ${nameUrls(reporters(views, url))} ${failing.length === 1 ? 'reports' : 'report'}`,
      advice: conclusion(url, views, asked),
    },
  ];
}

/**
 * A server that is down is not kept apart, and one that is still listed online may come back.
 * @param {string[]} codes
 * @param {boolean} isOnline
 * @returns {Finding['result']}
 */
const resultOf = (codes, isOnline) => (isOnline || codes.every(isDown) ? 'warn' : 'fail');

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
 * @param {View[]} views
 * @param {URL} url
 */
const reporters = (views, { href }) =>
  views.flatMap(({ baseUrl, member }) =>
    member && baseUrl !== href && (member.lastError || member.state !== 'online') ? [baseUrl] : [],
  );

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
function checkListed({ others, server, own }) {
  if (own.status?.state === 'drained') return [];
  const lists = others.flatMap(({ url, list, status }) => (list ? [{ url, list, status }] : []));
  if (lists.length === 0) return [];
  const missing = lists.filter(({ list, status }) => {
    const known = status?.members.map(({ baseUrl }) => baseUrl) ?? baseUrlsOf(list);
    return !listsServer(known, server.listedAs);
  });
  const count = `${lists.length - missing.length} of ${lists.length} other servers list this one`;
  if (missing.length === 0) return [{ result: 'ok', check: 'listed', found: count }];
  const advice =
    'SHAZBOT_SECRET, SHAZBOT_AUTH, SHAZBOT_CLUSTER or SHAZBOT_ALLOWED_ORIGINS differs there, or SHAZBOT_BASE_URL does not lead here from there.';
  const found = `${count}; not ${nameUrls(missing.map(({ url }) => url.href))}`;
  return [{ result: missing.length === lists.length ? 'fail' : 'warn', check: 'listed', found, advice }];
}

module.exports = { checkListed, checkMembers };
