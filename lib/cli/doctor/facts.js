'use strict';

// Collects what the checks of `doctor` look at: the master lists, the running server and the others of its cluster.

const { stateOf } = require('../members.js');
const { isLoopback, parseBaseUrl } = require('../server-options.js');
const { sendToRoute } = require('../server-routes.js');
const { MAX_ASKED, askServer, survey } = require('../survey.js');
const { mustBeWritable, readList } = require('./list-files.js');
const { listsServer } = require('./urls.js');

/** How often the status is read: processes that share a base URL answer in turn. */
const STATUS_READS = 5;

/** @typedef {import('../server-options.js').Server} Server */
/** @typedef {import('../survey.js').Asked} Asked */
/**
 * @typedef {object} Facts
 * @property {NodeJS.ProcessEnv} env
 * @property {boolean} isValid whether the environment is valid
 * @property {Target} target
 * @property {MasterListFacts[]} masterLists
 * @property {Asked} own what answers at the base URL
 * @property {number} processes how many different processes answered there
 * @property {{ status: number, json: any } | undefined} gossipSecret the answer to a gossip request with SHAZBOT_SECRET;
 *   undefined if it was not sent
 * @property {Asked[]} others members and servers in the master lists
 * @property {Asked[]} places where DNS leads to
 * @property {PassedOver} passedOver
 *
 * @typedef {object} MasterListFacts
 * @property {string} url
 * @property {string} [error]
 * @property {'missing' | 'empty' | 'read'} [state]
 * @property {string[]} urls the base URLs in it
 * @property {{ url: string, reason: string }[]} ignored those that SHAZBOT_ALLOWED_ORIGINS or their form excludes
 *
 * @typedef {object} Target the server that is checked
 * @property {Server} server
 * @property {boolean} hasUrl whether --url names it, and not the environment
 * @property {string | undefined} listedAs its base URL in lists; undefined if that is not known
 * @property {Asked} own
 *
 * @typedef {object} PassedOver how many other servers were not asked
 * @property {number} left since they left in order
 * @property {number} ignored since a server may not list them
 * @property {number} more since there are too many
 *
 * @typedef {{ env: NodeJS.ProcessEnv, target: Target, isValid: boolean }} Known
 */

/** With these, the engine needs no others to say which URLs a server may list. */
const COMPLETE = {
  SHAZBOT_SECRET: 'any-secret-of-16-bytes',
  SHAZBOT_CONTROL_SECRET: 'another-secret-of-16-bytes',
  SHAZBOT_MASTER_LIST: 'dns+http://placeholder.invalid/',
};

/**
 * Asks the server that is checked.
 * @param {Server} server
 * @param {boolean} hasUrl
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Target>}
 */
async function askTarget(server, hasUrl, env) {
  const { base, secret, timeout } = server;
  const own = await askServer(base, { secret, timeout, gossip: true });
  return { server, hasUrl, own, listedAs: hasUrl ? ownBaseUrl(server, own, env) : server.listedAs };
}

/**
 * @param {Server} server
 * @param {Asked} own
 * @param {NodeJS.ProcessEnv} env
 */
function ownBaseUrl({ base }, { status, list }, env) {
  const said = parseBaseUrl(status?.baseUrl ?? '');
  if (said) return said.href;
  const isSame = parseBaseUrl(env.SHAZBOT_BASE_URL ?? '')?.href === base.href;
  const isListed = listsServer(baseUrlsOf(list), base.href);
  return isSame || isListed || !isLoopback(base.hostname) ? base.href : undefined;
}

/**
 * @param {Known & { places: URL[], secretOfMembers: string }} known
 * @returns {Promise<Facts>}
 */
async function collectFacts({ places, secretOfMembers, ...known }) {
  const { env, target, isValid } = known;
  const { own, server } = target;
  const { timeout } = server;
  const masterLists = await readMasterLists(known);
  const processes = own.status ? await countProcesses(own.status, server) : 0;
  const gossipSecret = own.answers && !own.problem && isValid ? await tryGossipSecret(env, server) : undefined;
  // With an invalid environment it is unknown which servers are allowed.
  const found = isValid ? candidates(known, masterLists) : { members: [], listed: [], left: 0, ignored: 0 };
  const { members, listed, left, ignored } = found;
  const allowed = isValid ? places : [];
  const [fromMembers, fromLists, atPlaces] = await Promise.all([
    survey(members, { secret: secretOfMembers, timeout, gossip: true }),
    survey(listed.slice(0, MAX_ASKED - Math.min(members.length, MAX_ASKED)), { secret: '', timeout, gossip: true }),
    survey(allowed, { secret: '', timeout }),
  ]);
  const others = [...fromMembers, ...fromLists];
  const passedOver = { left, ignored, more: members.length + listed.length - others.length };
  return { env, isValid, target, masterLists, own, processes, gossipSecret, others, places: atPlaces, passedOver };
}

/** @param {Known} known */
async function readMasterLists(known) {
  const { env } = known;
  /** @type {MasterListFacts[]} */
  const masterLists = [];
  const updateUrls = words(env.SHAZBOT_MASTER_LIST_UPDATE);
  // A name in DNS is no document, and has no URL to be written to.
  const documents = words(env.SHAZBOT_MASTER_LIST).filter((url) => !/^(dns|srv)\+/i.test(url));
  for (const [i, url] of documents.entries()) {
    // The engine has reported one that is not a URL.
    if (URL.canParse(url)) masterLists.push(await readMasterList(url, updateUrls[i] ?? url, known));
  }
  return masterLists;
}

/** @param {string | undefined} text */
const words = (text = '') => text.split(/\s+/).filter(Boolean);

/**
 * @param {string} url
 * @param {string} updateUrl
 * @param {Known} known
 * @returns {Promise<MasterListFacts>}
 */
async function readMasterList(url, updateUrl, { env, target, isValid }) {
  try {
    const { list, state } = await readList(url, env.SHAZBOT_MASTER_LIST_AUTH, target.server.timeout);
    const urls = baseUrlsOf(list);
    if (updateUrl.startsWith('file:')) await mustBeWritable(updateUrl);
    return { url, state, urls, ignored: isValid ? ignoredUrls(env, target, urls) : [] };
  } catch (error) {
    return { url, error: /** @type {Error} */ (error).message, urls: [], ignored: [] };
  }
}

/**
 * @param {any} list
 * @returns {string[]}
 */
function baseUrlsOf(list) {
  return Array.isArray(list?.online) ? list.online.map((/** @type {any} */ it) => String(it?.baseUrl)) : [];
}

/**
 * The servers that the engine would neither list nor contact, with its reasons.
 * @param {NodeJS.ProcessEnv} env
 * @param {Pick<Target, 'server' | 'listedAs'>} target
 * @param {string[]} urls
 */
function ignoredUrls({ SHAZBOT_ALLOWED_ORIGINS: origins = '' }, { server, listedAs }, urls) {
  const environment = {
    ...COMPLETE,
    SHAZBOT_BASE_URL: listedAs ?? server.base.href,
    SHAZBOT_ALLOWED_ORIGINS: origins,
  };
  /** @type {(string | null)[]} */
  const reasons = require('../../binary.js').Engine.checkUrls(environment, urls);
  return urls.flatMap((url, i) => (reasons[i] ? [{ url, reason: reasons[i] }] : []));
}

/**
 * The other servers to ask. Only members may get the control secret, not servers that only a master list or the public list names.
 * @param {Pick<Known, 'env' | 'target'>} known
 * @param {Pick<MasterListFacts, 'urls'>[]} masterLists
 * @returns {{ members: URL[], listed: URL[], left: number, ignored: number }} members: those that are not online first
 */
function candidates({ env, target }, masterLists) {
  const { status, list } = target.own;
  const seen = new Set([target.server.base.href, target.listedAs]);
  let ignored = 0;
  const take = (/** @type {string[]} */ urls) => {
    const unseen = urls.filter((url) => {
      const href = parseBaseUrl(url)?.href ?? url;
      return !seen.has(href) && seen.add(href);
    });
    const wrong = new Set(ignoredUrls(env, target, unseen).map(({ url }) => url));
    ignored += wrong.size;
    return unseen.filter((url) => !wrong.has(url)).flatMap((url) => parseBaseUrl(url) ?? []);
  };
  const known = status?.members ?? [];
  // A server that was shut down in order is not expected to answer.
  const left = known.filter((member) => stateOf(member) === 'left').map(({ baseUrl }) => baseUrl);
  for (const url of left) seen.add(url);
  const rank = (/** @type {{ state: string }} */ { state }) => Number(state === 'online');
  const members = take(known.toSorted((a, b) => rank(a) - rank(b)).map(({ baseUrl }) => baseUrl));
  const listed = take([...masterLists.flatMap(({ urls }) => urls), ...baseUrlsOf(list)]);
  return { members, listed, left: left.length, ignored };
}

/**
 * @param {{ startedAt: number }} first
 * @param {Server} server
 */
async function countProcesses(first, { base, secret, timeout }) {
  const started = new Set([first.startedAt]);
  for (let i = 1; i < STATUS_READS; i++) {
    const { status } = await askServer(base, { secret, timeout });
    if (status) started.add(status.startedAt);
  }
  return started.size;
}

/**
 * Sends the gossip secret, with an invalid message that changes nothing.
 * @param {NodeJS.ProcessEnv} env
 * @param {Server} server
 * @returns {Promise<Facts['gossipSecret']>}
 */
async function tryGossipSecret(env, { base, timeout }) {
  const { SHAZBOT_SECRET: secret = '', SHAZBOT_AUTH: auth = '', SHAZBOT_BASE_URL: own = '' } = env;
  // Only as the engine sends it, and only to this server.
  if (!secret || !/^(?:plain)?$/.test(auth) || parseBaseUrl(own)?.origin !== base.origin) return undefined;
  const body = '{"message":"gossip","online":0}';
  // The check of the base URL has reported a route that does not answer.
  return sendToRoute(base, 'gossip', { timeout, secret, body }).catch(() => undefined);
}

module.exports = { askTarget, baseUrlsOf, candidates, collectFacts };
