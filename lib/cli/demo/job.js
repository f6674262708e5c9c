'use strict';

// The job of the demo: which server owns its key, as each server sees it. A program asks `shazbotOwner(key)`.

const { ownersOf } = require('../ownership.js');

/** @typedef {import('./cluster.js').Server} Server */

/**
 * Chooses a key that this server owns while all are online.
 *
 * @param {Server[]} servers
 * @param {Server} owner
 */
function chooseJob(servers, owner) {
  const urls = servers.map(({ baseUrl }) => baseUrl);
  let n = 1;
  while (ownersOf(`job-${n}`, urls)[0] !== owner.baseUrl) n += 1;
  return `job-${n}`;
}

/**
 * @param {string} job
 * @param {Server[]} servers
 * @returns {number | undefined} the number of the server that all running servers take for the owner
 */
function agreedOwner(job, servers) {
  const owners = servers
    .filter(({ child }) => child)
    .map(({ view }) => {
      const online = servers.filter((_, i) => view?.[i] === 'online').map(({ baseUrl }) => baseUrl);
      return ownersOf(job, online)[0];
    });
  const isAgreed = owners.every((it) => it === owners[0]);
  return isAgreed ? servers.find(({ baseUrl }) => baseUrl === owners[0])?.number : undefined;
}

module.exports = { agreedOwner, chooseJob };
