'use strict';

// Reads what one server knows about the members of the cluster, also from servers of older versions.

const { why } = require('../why.js');
const { CommandError } = require('./command-error.js');
const { callRoute } = require('./server-routes.js');

/** @typedef {import('./server-options.js').Server} Server */

/**
 * What a server says of one member. Only the base URL and the state are certain: servers of version 1 and routes that are
 * written by hand have no status, and older servers of version 2 lack `changedAt` and `lastError`.
 * @typedef {object} Member
 * @property {string} baseUrl
 * @property {import('../../index.js').MemberStatus['state']} state
 * @property {boolean} [monitor]
 * @property {import('../../index.js').OfflineReason} [reason]
 * @property {string} [by]
 * @property {number} [incarnation]
 * @property {number} [changedAt]
 * @property {{ code: string, message: string, at: number }} [lastError]
 * @property {number} [answered]
 * @property {number} [heard]
 * @property {number} [failures]
 * @property {string} [version]
 * @property {number} [protocol]
 * @property {Readonly<Record<string, string>>} [tags]
 *
 * @typedef {{ baseUrl: string, at: number, members: Member[] }} View `at`: by the clock of the server
 */

/**
 * Returns a function that reads the members. It remembers whether the server has a status route.
 * @param {Server} server
 * @param {boolean} needsStatus whether to fail without a status, since the list lacks what was asked for
 * @returns {() => Promise<View>}
 */
function viewReader(server, needsStatus) {
  let hasStatus = true;
  return async () => {
    if (hasStatus) {
      try {
        return await callRoute(server, 'status');
      } catch (error) {
        if (!(error instanceof CommandError) || error.kind !== 'no status' || needsStatus) throw error;
        hasStatus = false;
      }
    }
    return viewOfList(await callRoute(server, 'list'), server);
  };
}

/**
 * @param {import('../../index.js').ServerList} list
 * @param {Server} server
 * @returns {View}
 */
function viewOfList({ online, offline = [] }, { listedAs }) {
  const membersIn = (/** @type {typeof online} */ servers, /** @type {'online' | 'offline'} */ state) =>
    servers.map(({ baseUrl, monitor }) => ({ baseUrl, monitor, state }));
  const members = [...membersIn(online, 'online'), ...membersIn(offline, 'offline')];
  return { baseUrl: listedAs, at: Date.now(), members };
}

/**
 * The state with offline told apart: drained, failed, left, or offline if the reason is not known.
 * @param {Member} member
 */
const stateOf = ({ state, reason }) => (state === 'offline' ? (reason ?? 'offline') : state);

/**
 * Why a member is in its state, unless the state says that already.
 * @param {Member} member
 * @param {string | undefined} ownUrl base URL of the server that says so
 */
function reasonOf(member, ownUrl) {
  const state = stateOf(member);
  if (state === 'drained' || state === 'left' || (state === 'offline' && !member.lastError && !member.by)) return '';
  return why(member, ownUrl);
}

module.exports = { reasonOf, stateOf, viewOfList, viewReader };
