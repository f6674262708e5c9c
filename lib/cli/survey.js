'use strict';

// Asks many servers at the same time what answers at their base URLs and what they know. Used by `explain` and `doctor`.

const { wordsFor } = require('./causes.js');
const { reasonOf, send } = require('./http-client.js');
const { isOurError, isRefusedSecret, isStatus, routeUrl } = require('./server-routes.js');

/** How many servers are asked. */
const MAX_ASKED = 50;

/**
 * @typedef {object} Problem
 * @property {string} code of the table in causes.js
 * @property {string} text what was asked and what was answered
 *
 * @typedef {object} Asked
 * @property {URL} url
 * @property {Problem} [problem] why it is not usable as a server of the cluster; the first of the routes list and gossip
 * @property {boolean} answers whether the list route is ours and the engine runs
 * @property {any} [list] the answer of the list route; missing if it needs a secret
 * @property {number} [took] ms, for the list
 * @property {(import('../../index.js').ShazbotStatus & { warnings?: import('./warnings.js').Warning[] })} [status]
 * @property {boolean} [wrongSecret] whether it refused the control secret
 * @property {number} clockAhead ms before the clock here; NaN if not known
 */

/**
 * @param {URL[]} urls
 * @param {{ secret: string, timeout: number, gossip?: boolean }} options secret: the control secret, sent only to URLs where
 * the list route is ours; gossip: whether to test the gossip route, too
 * @returns {Promise<Asked[]>}
 */
function survey(urls, options) {
  return Promise.all(urls.slice(0, MAX_ASKED).map((url) => askServer(url, options)));
}

/**
 * @param {URL} url
 * @param {{ secret: string, timeout: number, gossip?: boolean }} options
 * @returns {Promise<Asked>}
 */
async function askServer(url, { secret, timeout, gossip = false }) {
  /** @type {Asked} */
  const asked = { url, answers: false, clockAhead: Number.NaN };
  const list = await tryRoute(url, 'list', { timeout });
  if ('problem' in list || problemOfList(list.answer)) {
    const problem = 'problem' in list ? list.problem : problemOf('GET', url, 'list', list.answer);
    return { ...asked, problem };
  }
  asked.answers = true;
  asked.clockAhead = clockOfHeader(list.answer, list.sentAt);
  asked.took = list.answer.took;
  if (list.answer.status === 200) asked.list = list.answer.json;
  if (gossip) {
    const problem = await testGossipRoute(url, timeout);
    if (problem) asked.problem = problem;
  }
  return secret ? { ...asked, ...(await readStatus(url, secret, timeout)) } : asked;
}

/**
 * @param {import('./http-client.js').Answer} answer
 * @param {number} sentAt
 */
function clockOfHeader({ headers, took }, sentAt) {
  const ahead = Date.parse(headers.date ?? '') - sentAt - took / 2;
  // The header has whole seconds.
  return Math.abs(ahead) < 1_500 ? 0 : ahead;
}

/**
 * @param {URL} url
 * @param {string} secret
 * @param {number} timeout
 * @returns {Promise<Partial<Asked>>}
 */
async function readStatus(url, secret, timeout) {
  const tried = await tryRoute(url, 'status', { secret, timeout });
  if ('problem' in tried) return {};
  const { answer, sentAt } = tried;
  if (isRefusedSecret(answer)) return { wrongSecret: true };
  // Routes that are written by hand have no status, and anything may answer there.
  if (answer.status !== 200 || !isStatus(answer.json)) return {};
  return { status: answer.json, clockAhead: answer.json.at - sentAt - answer.took / 2 };
}

/**
 * Sends a wrong secret: a real one must not go to a server only because a list names it.
 * @param {URL} url
 * @param {number} timeout
 * @returns {Promise<Problem | undefined>}
 */
async function testGossipRoute(url, timeout) {
  const body = '{"message":"gossip","online":[]}';
  const tried = await tryRoute(url, 'gossip', { secret: 'none', timeout, body });
  if ('problem' in tried) return tried.problem;
  return isOurError(tried.answer.json) ? undefined : problemOf('POST', url, 'gossip', tried.answer);
}

/**
 * @param {URL} url
 * @param {import('./server-routes.js').RouteName} route
 * @param {import('./http-client.js').RequestOptions} options
 * @returns {Promise<{ problem: Problem } | { answer: import('./http-client.js').Answer, sentAt: number }>}
 */
async function tryRoute(url, route, options) {
  const sentAt = Date.now();
  try {
    return { answer: await send(routeUrl(url, route), options), sentAt };
  } catch (error) {
    const { code = 'SHAZBOT_EXCHANGE_FAILED' } = /** @type {NodeJS.ErrnoException} */ (error);
    return { problem: { code, text: reasonOf(error) } };
  }
}

/**
 * @param {import('./http-client.js').Answer} answer
 * @returns {boolean} whether the list route is not one of ours, or has no engine
 */
function problemOfList({ status, json }) {
  if (status === 200) return !Array.isArray(json?.online);
  return !isRefusedSecret({ status, json });
}

/**
 * @param {string} method
 * @param {URL} url
 * @param {string} route
 * @param {import('./http-client.js').Answer} answer
 * @returns {Problem}
 */
function problemOf(method, url, route, { status, headers, json }) {
  const code = isOurError(json) ? (json.code ?? 'SHAZBOT_NOT_STARTED') : `HTTP_${status}`;
  const type = headers['content-type']?.split(';')[0];
  const what = headers.location ? ` and redirects to ${headers.location}` : type ? ` with ${type}` : '';
  const words = code.startsWith('HTTP_') ? '' : `: ${wordsFor(code, String(json?.error))}`;
  return { code, text: `${method} ${routeUrl(url, route).pathname} is answered ${status}${what}${words}` };
}

module.exports = { MAX_ASKED, askServer, survey };
