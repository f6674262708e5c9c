'use strict';

// Collects what the checks of `doctor` look at: the master lists, the running server and some of its peers.

const { CommandError } = require('../command-error.js');
const { parseBaseUrl } = require('../server-options.js');
const { callRoute, sendToRoute } = require('../server-routes.js');
const { mustBeWritable, readList } = require('./list-files.js');

/** How many peers are asked. */
const MAX_PEERS = 3;
/** How often the status is read: processes that share a base URL answer in turn. */
const STATUS_READS = 5;

/**
 * @typedef {object} Facts
 * @property {NodeJS.ProcessEnv} env
 * @property {boolean} isValid whether the environment is valid
 * @property {import('../server-options.js').Server} server
 * @property {MasterListFacts[]} masterLists
 * @property {StatusFacts} status
 * @property {ServerFacts} own
 * @property {{ status: number | 'nothing', json: any } | undefined} gossipSecret the answer to a gossip request with
 *   SHAZBOT_SECRET; undefined if it was not sent
 * @property {ServerFacts[]} peers
 *
 * @typedef {object} MasterListFacts
 * @property {string} url
 * @property {string} [error]
 * @property {'missing' | 'empty' | 'read'} [state]
 * @property {string[]} urls the base URLs in it
 * @property {{ url: string, reason: string }[]} ignored those that SHAZBOT_ALLOWED_ORIGINS or their form excludes
 *
 * @typedef {object} StatusFacts
 * @property {import('../../../index.js').ShazbotStatus} [answer]
 * @property {number} processes how many different processes answered
 * @property {string} [wrongSecret] the error, if the control secret was rejected
 *
 * @typedef {object} ServerFacts
 * @property {URL} url
 * @property {{ status: number, json: any, took: number, clockAhead: number }} [list] the answer of the list route
 * @property {number} [gossipStatus] the answer to a gossip request with a wrong secret
 * @property {string} [error]
 */

/**
 * @param {{ env: NodeJS.ProcessEnv, server: import('../server-options.js').Server, isValid: boolean }} known
 * @returns {Promise<Facts>}
 */
async function collectFacts({ env, server, isValid }) {
  /** @type {MasterListFacts[]} */
  const masterLists = [];
  const updateUrls = words(env.SHAZBOT_MASTER_LIST_UPDATE);
  // A name in DNS is no document, and has no URL to be written to.
  const documents = words(env.SHAZBOT_MASTER_LIST).filter((url) => !/^(dns|srv)\+/i.test(url));
  for (const [i, url] of documents.entries()) {
    // The engine has reported one that is not a URL.
    if (URL.canParse(url)) masterLists.push(await readMasterList(url, updateUrls[i] ?? url, { env, server, isValid }));
  }
  const status = await readStatus(server);
  const own = await askServer(server.base, server.timeout);
  const gossipSecret = own.gossipStatus === 401 && isValid ? await tryGossipSecret(env, server) : undefined;

  const excluded = new Set([server.base.href, server.listedAs]);
  const ownUrls = baseUrlsOf(own.list?.json);
  const candidates = [
    ...masterLists.flatMap(({ urls, ignored }) => without(urls, ignored)),
    ...without(ownUrls, ignoredUrls(env, isValid, ownUrls)),
  ].map((url) => parseBaseUrl(url)?.href ?? '');
  // With an invalid environment it is unknown which servers are allowed.
  const hrefs = isValid ? [...new Set(candidates)].filter((href) => href && !excluded.has(href)) : [];
  /** @type {ServerFacts[]} */
  const peers = [];
  for (const href of hrefs.slice(0, MAX_PEERS)) peers.push(await askServer(new URL(href), server.timeout));
  return { env, isValid, server, masterLists, status, own, gossipSecret, peers };
}

/** @param {string | undefined} text */
const words = (text = '') => text.split(/\s+/).filter(Boolean);

/**
 * @param {string[]} urls
 * @param {{ url: string }[]} ignored
 */
const without = (urls, ignored) => urls.filter((url) => !ignored.some((it) => it.url === url));

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
 * @param {string} url
 * @param {string} updateUrl
 * @param {{ env: NodeJS.ProcessEnv, server: import('../server-options.js').Server, isValid: boolean }} known
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
 * @param {import('../server-options.js').Server} server
 * @returns {Promise<StatusFacts>}
 */
async function readStatus(server) {
  if (!server.secret) return { processes: 0 };
  try {
    /** @type {import('../../../index.js').ShazbotStatus[]} */
    const answers = [];
    for (let i = 0; i < STATUS_READS; i++) answers.push(await callRoute(server, 'status'));
    const processes = new Set(answers.map(({ startedAt }) => startedAt)).size;
    return { answer: /** @type {typeof answers[0]} */ (answers[0]), processes };
  } catch (error) {
    // Other checks report a server that does not answer; routes that are written by hand have no status.
    if (!(error instanceof CommandError)) throw error;
    return { processes: 0, ...(error.kind === 'wrong secret' && { wrongSecret: error.message }) };
  }
}

/**
 * Asks a server for its list, and whether its gossip route rejects a wrong secret. A real secret must not go to a
 * server only because a list names it.
 * @param {URL} url
 * @param {number} timeout
 * @returns {Promise<ServerFacts>}
 */
async function askServer(url, timeout) {
  /** @type {ServerFacts} */
  const facts = { url };
  try {
    const { date, ...answer } = await sendToRoute(url, 'list', { timeout });
    facts.list = { ...answer, clockAhead: date - Date.now() };
    if (!hasListRoute(facts.list)) return facts;
    const body = '{"message":"gossip","online":[]}';
    facts.gossipStatus = (await sendToRoute(url, 'gossip', { timeout, secret: 'none', body })).status;
  } catch (error) {
    facts.error = /** @type {Error} */ (error).message;
  }
  return facts;
}

/** @param {{ status: number, json: any }} answer */
const hasListRoute = ({ status, json }) => status === 401 || (status === 200 && Array.isArray(json?.online));

/**
 * Sends the gossip secret, with an invalid message that changes nothing.
 * @param {NodeJS.ProcessEnv} env
 * @param {import('../server-options.js').Server} server
 * @returns {Promise<Facts['gossipSecret']>}
 */
async function tryGossipSecret(env, { base, timeout }) {
  const { SHAZBOT_SECRET: secret = '', SHAZBOT_AUTH: auth = '', SHAZBOT_BASE_URL: own = '' } = env;
  // Only as the engine sends it, and only to this server.
  if (!/^(?:plain)?$/.test(auth) || new URL(own).origin !== base.origin) return undefined;
  const body = '{"message":"gossip","online":0}';
  try {
    return await sendToRoute(base, 'gossip', { timeout, secret, body });
  } catch (error) {
    return { status: 'nothing', json: { error: /** @type {Error} */ (error).message } };
  }
}

module.exports = { baseUrlsOf, collectFacts, hasListRoute };
