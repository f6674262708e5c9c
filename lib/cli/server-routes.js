'use strict';

// Calls the routes of a server and checks its answers.

const { adviceFor } = require('./causes.js');
const { CommandError } = require('./command-error.js');
const { requestError, send } = require('./http-client.js');
const { IN_CODE } = require('./server-options.js');

/** @typedef {import('./server-options.js').Server} Server */
/** @typedef {'list' | 'status' | 'control' | 'gossip'} RouteName */

/** @param {any} list */
const areServers = (list) => Array.isArray(list) && list.every((it) => typeof it?.baseUrl === 'string');

/** @param {any} it */
const isProblem = (it) => typeof it?.code === 'string' && typeof it.message === 'string';

/** @param {any} it */
const isStatus = (it) =>
  areServers(it?.members) &&
  it.members.every((/** @type {any} */ { lastError }) => lastError === undefined || isProblem(lastError)) &&
  Boolean(it.exchanges?.out) &&
  Array.isArray(it.masterLists) &&
  it.masterLists.every(Boolean) &&
  // A server of an older version has no warnings.
  (it.warnings === undefined || (Array.isArray(it.warnings) && it.warnings.every(isProblem)));

/** Whether an answer has the parts that the commands read. */
const isValidAnswer = {
  list: (/** @type {any} */ it) => areServers(it.online) && (it.offline === undefined || areServers(it.offline)),
  status: isStatus,
  control: () => true,
};

/**
 * @param {Server} server
 * @param {Exclude<RouteName, 'gossip'>} route
 * @param {object} [body]
 * @returns {Promise<any>} the JSON of its answer; rejects with a CommandError
 */
async function callRoute({ base, secret, secretFrom, timeout }, route, body) {
  const answer = await sendToRoute(base, route, { secret, timeout, body: body && JSON.stringify(body) });
  const { status, json } = answer;
  if (status >= 200 && status < 300 && json) {
    if (isValidAnswer[route](json)) return json;
    const text = `The answer of ${routeUrl(base, route)} is not a ${route}: does another program run there?`;
    throw new CommandError(text, 1, route === 'status' ? 'no status' : undefined);
  }
  if (isRefusedSecret(answer)) {
    const isUnset = `is not set; set it or SHAZBOT_CONTROL_SECRET_FILE, or pass --secret-file. ${IN_CODE}`;
    const problem = secret ? 'does not match' : isUnset;
    throw new CommandError(`${base} rejected the request: ${secretFrom} ${problem}`, 1, 'wrong secret');
  }
  // A program that answers every unknown path with a page, as many do, has no status either.
  if (route === 'status' && (status === 404 || (status === 200 && !json))) {
    const text = `${base} has no status route. The ready-made routes have one; see docs/getting-started.md`;
    throw new CommandError(text, 1, 'no status');
  }
  const reason = json?.error ?? json?.message;
  const detail = typeof reason === 'string' ? `: ${reason}` : json ? '' : ', and the body is not JSON';
  const advice = isOurError(json) ? '' : adviceFor(`HTTP_${status}`, base);
  throw new CommandError(`${routeUrl(base, route)} answered ${status}${detail}${advice && `. ${advice}`}`);
}

/**
 * Whether our routes refused the secret. A guard or a middleware of the program answers 401 with another body.
 * @param {Pick<import('./http-client.js').Answer, 'status' | 'json'>} answer
 */
const isRefusedSecret = ({ status, json }) => status === 401 && isOurError(json);

/**
 * Whether the body is an error of this package. Routes that are written by hand send the message without the code.
 * @param {any} json
 */
function isOurError(json) {
  if (typeof json?.code === 'string') return json.code.startsWith('SHAZBOT_');
  return (
    typeof json?.error === 'string' &&
    /^Unauthorized: |^Clustershazbot engine |^Invalid gossip message/.test(json.error)
  );
}

/**
 * @param {URL} base
 * @param {RouteName} route
 * @param {import('./http-client.js').RequestOptions} options
 * @returns {Promise<import('./http-client.js').Answer>} rejects with a CommandError
 */
async function sendToRoute(base, route, options) {
  const url = routeUrl(base, route);
  try {
    return await send(url, options);
  } catch (error) {
    throw requestError(url, error);
  }
}

/**
 * @param {URL} base
 * @param {string} route
 */
const routeUrl = (base, route) => new URL(`clustershazbot/${route}`, base);

module.exports = { callRoute, isOurError, isRefusedSecret, isStatus, routeUrl, sendToRoute };
