'use strict';

// Collects what the checks of `doctor` look at: the master lists, the running server and the others of its cluster.

const { stateOf } = require('../members.js');
const { parseBaseUrl } = require('../server-options.js');
const { sendToRoute } = require('../server-routes.js');
const { MAX_ASKED, askServer, survey } = require('../survey.js');
const { mustBeWritable, readList } = require('./list-files.js');

/** How often the status is read: processes that share a base URL answer in turn. */
const STATUS_READS = 5;

/** @typedef {import('../server-options.js').Server} Server */
/** @typedef {import('../survey.js').Asked} Asked */
/**
 * @typedef {object} Facts
 * @property {NodeJS.ProcessEnv} env
 * @property {boolean} isValid whether the environment is valid
 * @property {Server} server
 * @property {MasterListFacts[]} masterLists
 * @property {Asked} own what answers at the base URL
 * @property {number} processes how many different processes answered there
 * @property {{ status: number, json: any } | undefined} gossipSecret the answer to a gossip request with SHAZBOT_SECRET;
 *   undefined if it was not sent
 * @property {Asked[]} others members and servers in the master lists
 * @property {Asked[]} places where DNS leads to
 * @property {number} notAsked how many more servers there are
 *
 * @typedef {object} MasterListFacts
 * @property {string} url
 * @property {string} [error]
 * @property {'missing' | 'empty' | 'read'} [state]
 * @property {string[]} urls the base URLs in it
 * @property {{ url: string, reason: string }[]} ignored those that SHAZBOT_ALLOWED_ORIGINS or their form excludes
 *
 * @typedef {{ env: NodeJS.ProcessEnv, server: Server, isValid: boolean }} Known
 */

/**
 * @param {Known & { places: URL[], secretOfMembers: string }} known
 * @returns {Promise<Facts>}
 */
async function collectFacts({ places, secretOfMembers, ...known }) {
  const { env, server, isValid } = known;
  const masterLists = await readMasterLists(known);
  const { base, secret, timeout } = server;
  const own = await askServer(base, { secret, timeout, gossip: true });
  const processes = own.status ? await countProcesses(own.status, server) : 0;
  const gossipSecret = own.answers && !own.problem && isValid ? await tryGossipSecret(env, server) : undefined;
  // With an invalid environment it is unknown which servers are allowed.
  const { members, listed } = isValid ? candidates(known, masterLists, own) : { members: [], listed: [] };
  const allowed = isValid ? places : [];
  const [fromMembers, fromLists, atPlaces] = await Promise.all([
    survey(members, { secret: secretOfMembers, timeout, gossip: true }),
    survey(listed.slice(0, MAX_ASKED - Math.min(members.length, MAX_ASKED)), { secret: '', timeout, gossip: true }),
    survey(allowed, { secret: '', timeout }),
  ]);
  const others = [...fromMembers, ...fromLists];
  const notAsked = members.length + listed.length - others.length;
  return { env, isValid, server, masterLists, own, processes, gossipSecret, others, places: atPlaces, notAsked };
}

/** @param {Known} known */
async function readMasterLists({ env, server, isValid }) {
  /** @type {MasterListFacts[]} */
  const masterLists = [];
  const updateUrls = words(env.SHAZBOT_MASTER_LIST_UPDATE);
  // A name in DNS is no document, and has no URL to be written to.
  const documents = words(env.SHAZBOT_MASTER_LIST).filter((url) => !/^(dns|srv)\+/i.test(url));
  for (const [i, url] of documents.entries()) {
    // The engine has reported one that is not a URL.
    if (URL.canParse(url)) masterLists.push(await readMasterList(url, updateUrls[i] ?? url, { env, server, isValid }));
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
async function readMasterList(url, updateUrl, { env, server, isValid }) {
  try {
    const { list, state } = await readList(url, env.SHAZBOT_MASTER_LIST_AUTH, server.timeout);
    const urls = baseUrlsOf(list);
    if (updateUrl.startsWith('file:')) await mustBeWritable(updateUrl);
    return { url, state, urls, ignored: ignoredUrls(env, isValid, urls) };
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
 * @param {boolean} isValid
 * @param {string[]} urls
 */
function ignoredUrls(env, isValid, urls) {
  if (!isValid) return [];
  /** @type {(string | null)[]} */
  const reasons = require('../../binary.js').Engine.checkUrls(env, urls);
  return urls.flatMap((url, i) => (reasons[i] ? [{ url, reason: reasons[i] }] : []));
}

/**
 * The other servers to ask. Only members may get the control secret, not servers that only a master list or the public list names.
 * @param {Known} known
 * @param {MasterListFacts[]} masterLists
 * @param {Asked} own
 * @returns {{ members: URL[], listed: URL[] }} members: those that are not online first
 */
function candidates({ env, server }, masterLists, { status, list }) {
  const seen = new Set([server.base.href, server.listedAs]);
  const take = (/** @type {string[]} */ urls) => {
    const ignored = new Set(ignoredUrls(env, true, urls).map(({ url }) => url));
    const allowed = urls.filter((url) => !ignored.has(url)).flatMap((url) => parseBaseUrl(url) ?? []);
    return allowed.filter(({ href }) => !seen.has(href) && seen.add(href));
  };
  const known = status?.members ?? [];
  // A server that was shut down in order is not expected to answer.
  const left = known.filter((member) => stateOf(member) === 'left').map(({ baseUrl }) => baseUrl);
  for (const url of left) seen.add(url);
  const rank = (/** @type {{ state: string }} */ { state }) => Number(state === 'online');
  const members = take(known.toSorted((a, b) => rank(a) - rank(b)).map(({ baseUrl }) => baseUrl));
  return { members, listed: take([...masterLists.flatMap(({ urls }) => urls), ...baseUrlsOf(list)]) };
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
  if (!/^(?:plain)?$/.test(auth) || new URL(own).origin !== base.origin) return undefined;
  const body = '{"message":"gossip","online":0}';
  // The check of the base URL has reported a route that does not answer.
  return sendToRoute(base, 'gossip', { timeout, secret, body }).catch(() => undefined);
}

module.exports = { baseUrlsOf, collectFacts };
