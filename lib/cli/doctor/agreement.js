'use strict';

// Compares the servers that were asked with each other: their lists, clocks, versions and intervals.

const { formatCount, formatDuration } = require('../terminal.js');
const { parseBaseUrl } = require('../server-options.js');
const { baseUrlsOf } = require('./facts.js');
const { nameUrls } = require('./urls.js');

/** @typedef {import('../commands/doctor.js').Finding} Finding */
/** @typedef {import('./facts.js').Facts} Facts */

/** Clocks that differ by more are reported, and by more than MAX_CLOCK_ERROR keep servers apart, ms. */
const NOTABLE_CLOCK_ERROR = 60_000;
const MAX_CLOCK_ERROR = 3_600_000;

/**
 * @param {Pick<Facts, 'own' | 'others' | 'target'>} facts
 * @returns {import('../survey.js').Asked[]} each server once
 */
function serversOf({ own, others, target: { listedAs } }) {
  // If it is not known which of the others it is, it is among them under its base URL.
  return listedAs || others.length === 0 ? [own, ...others] : others;
}

/**
 * Whether the servers form one group: two servers belong together if one lists the other online, or both list a third.
 * @param {Pick<Facts, 'own' | 'others' | 'places' | 'target'>} facts
 * @returns {Finding[]}
 */
function checkSplit({ places, ...facts }) {
  const servers = serversOf(facts);
  const asked = new Set(servers.map(({ url }) => url.href));
  // A name may lead to the base URLs of servers that were asked already.
  const elsewhere = places.filter(({ url }) => !asked.has(url.href));
  const lists = [...servers, ...elsewhere].flatMap(({ url, list, status }) => {
    const urls = list
      ? baseUrlsOf(list)
      : (status?.members.filter(({ state }) => state !== 'offline') ?? []).map((it) => it.baseUrl);
    return list || status ? [{ href: url.href, urls: urls.flatMap((it) => parseBaseUrl(it)?.href ?? []) }] : [];
  });
  if (lists.length < 2) return [];
  /** @type {{ asked: string[], all: Set<string> }[]} */
  let groups = [];
  for (const { href, urls } of lists) {
    const all = new Set([href, ...urls]);
    const joined = groups.filter((group) => [...all].some((url) => group.all.has(url)));
    const rest = groups.filter((group) => !joined.includes(group));
    for (const group of joined) for (const url of group.all) all.add(url);
    groups = [...rest, { asked: [...joined.flatMap(({ asked }) => asked), href], all }];
  }
  const check = 'split';
  if (groups.length === 1) return [{ result: 'ok', check, found: `${lists.length} servers are in one group` }];
  const names = groups.map(({ asked }) => `[${nameUrls(asked)}]`).join(' and ');
  const advice =
    'Servers of different groups do not list each other: compare SHAZBOT_SECRET, SHAZBOT_CLUSTER, SHAZBOT_AUTH and SHAZBOT_MASTER_LIST, and the network between them.';
  return [{ result: 'fail', check, found: `${groups.length} groups that do not see each other: ${names}`, advice }];
}

/**
 * Compares with the median of all clocks, that of this machine included: one wrong clock is then the one that is reported.
 * @param {Pick<Facts, 'own' | 'others' | 'target'>} facts
 * @returns {Finding[]}
 */
function checkClocks(facts) {
  const here = { name: 'this machine', ahead: 0 };
  const clocks = serversOf(facts)
    .map(({ url, clockAhead }) => ({ name: url.href, ahead: clockAhead }))
    // An answer may have no date.
    .filter(({ ahead }) => !Number.isNaN(ahead));
  if (clocks.length === 0) return [];
  const sorted = [here, ...clocks].toSorted((a, b) => a.ahead - b.ahead);
  const median = Number(sorted[sorted.length >> 1]?.ahead);
  const check = 'clocks';
  const wrong = [here, ...clocks].filter(({ ahead }) => Math.abs(ahead - median) > NOTABLE_CLOCK_ERROR);
  if (wrong.length === 0) {
    return [
      {
        result: 'ok',
        check,
        found: `this machine and ${formatCount(clocks.length, 'server')}: less than a minute apart`,
      },
    ];
  }
  return wrong.map(({ name, ahead }) => {
    const error = Math.abs(ahead - median);
    const found = `${name} is ${formatDuration(error)} ${ahead > median ? 'ahead of' : 'behind'} the others`;
    const result = error > MAX_CLOCK_ERROR ? 'fail' : 'warn';
    return { result, check, found, advice: 'Set the clock there, for example by NTP.' };
  });
}

/**
 * @param {Pick<Facts, 'own' | 'others'>} facts
 * @returns {Finding[]}
 */
function checkVersions({ own, others }) {
  const versions = grouped([own, ...others], ({ status }) => status?.version);
  if (versions.length === 0) return [];
  const found = versions.map(([version, urls]) => `${version} on ${nameUrls(urls)}`).join('; ');
  if (versions.length === 1) return [{ result: 'ok', check: 'versions', found }];
  return [
    {
      result: 'warn',
      check: 'versions',
      found,
      advice: 'Normal during a rollout. Otherwise deploy the same version everywhere.',
    },
  ];
}

/**
 * @param {Pick<Facts, 'own' | 'others' | 'env' | 'isValid' | 'target'>} facts
 * @returns {Finding[]}
 */
function checkIntervals({ own, others, env, isValid, target: { hasUrl } }) {
  const check = 'intervals';
  const advice = 'Give all servers the same SHAZBOT_GOSSIP_INTERVAL: time-outs depend on it.';
  /** @type {Finding[]} */
  const findings = [];
  // The program may set it in its code.
  const here = Number(env.SHAZBOT_GOSSIP_INTERVAL || (hasUrl ? own.status?.interval : 30));
  const running = own.status?.interval;
  if (isValid && running !== undefined && running !== here) {
    const found = `SHAZBOT_GOSSIP_INTERVAL is ${here} s here, but ${own.url.href} runs with ${running} s`;
    findings.push({ result: 'warn', check, found, advice });
  }
  const intervals = grouped([own, ...others], ({ status }) => status && `${status.interval} s`);
  const found = intervals.map(([interval, urls]) => `${interval} on ${nameUrls(urls)}`).join('; ');
  if (intervals.length > 1) findings.push({ result: 'warn', check, found, advice });
  else if (findings.length === 0 && found) findings.push({ result: 'ok', check, found });
  return findings;
}

/**
 * @param {import('../survey.js').Asked[]} asked
 * @param {(it: import('../survey.js').Asked) => string | undefined} value
 * @returns {[string, string[]][]} each value with the URLs that have it, the most frequent first
 */
function grouped(asked, value) {
  /** @type {Map<string, string[]>} */
  const groups = new Map();
  for (const it of asked) {
    const key = value(it);
    if (key !== undefined) groups.set(key, [...(groups.get(key) ?? []), it.url.href]);
  }
  return [...groups].toSorted(([, a], [, b]) => b.length - a.length);
}

module.exports = { checkClocks, checkIntervals, checkSplit, checkVersions };
