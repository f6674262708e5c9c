'use strict';

// Calls the routes of a server and checks its answers.

const { CommandError } = require('./command-error.js');
const { send } = require('./http-client.js');
const { IN_CODE } = require('./server-options.js');

/** @typedef {import('./server-options.js').Server} Server */

/** @param {any} list */
const areServers = (list) => Array.isArray(list) && list.every((it) => typeof it?.baseUrl === 'string');

/** Whether an answer has the parts that the commands read. */
const isValidAnswer = {
  list: (/** @type {any} */ it) => areServers(it.online) && (it.offline === undefined || areServers(it.offline)),
  status: (/** @type {any} */ it) =>
    areServers(it.members) && it.exchanges?.out && Array.isArray(it.masterLists) && it.masterLists.every(Boolean),
  control: () => true,
};

/**
 * @param {Server} server
 * @param {'list' | 'status' | 'control'} route
 * @param {object} [body]
 * @returns {Promise<any>} the JSON of its answer; rejects with a CommandError
 */
async function callRoute({ base, secret, secretFrom, timeout }, route, body) {
  const { status, json } = await sendToRoute(base, route, { secret, timeout, body: body && JSON.stringify(body) });
  if (status >= 200 && status < 300 && json) {
    if (isValidAnswer[route](json)) return json;
    throw new CommandError(`The answer of ${routeUrl(base, route)} is not a ${route}: does another program run there?`);
  }
  if (status === 401) {
    const isUnset = `is not set; set it or SHAZBOT_CONTROL_SECRET_FILE, or pass --secret-file. ${IN_CODE}`;
    const problem = secret ? 'does not match' : isUnset;
    throw new CommandError(`${base} rejected the request: ${secretFrom} ${problem}`, 1, 'wrong secret');
  }
  if (status === 404 && route === 'status') {
    const text = `${base} has no status route. The ready-made routes have one; see the README`;
    throw new CommandError(text, 1, 'no status');
  }
  const reason = json?.error ?? json?.message;
  const detail = typeof reason === 'string' ? `: ${reason}` : json ? '' : ', and the body is not JSON';
  throw new CommandError(`${routeUrl(base, route)} answered ${status}${detail}`);
}

/**
 * @param {URL} base
 * @param {'list' | 'status' | 'control' | 'gossip'} route
 * @param {import('./http-client.js').RequestOptions} options
 */
const sendToRoute = (base, route, options) => send(routeUrl(base, route), options);

/**
 * @param {URL} base
 * @param {string} route
 */
const routeUrl = (base, route) => new URL(`clustershazbot/${route}`, base);

module.exports = { callRoute, sendToRoute };
