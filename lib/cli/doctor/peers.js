'use strict';

// Checks of some other servers of the cluster.

const { baseUrlsOf, hasListRoute } = require('./facts.js');
const { redactUrl } = require('./list-files.js');
const { listsServer, serverFindings } = require('./server-findings.js');

/** @typedef {import('./doctor.js').Finding} Finding */

/**
 * @param {import('./facts.js').Facts} facts
 * @returns {Finding[]}
 */
function checkPeerServers({ peers, server }) {
  return peers.flatMap((peer) => {
    const remedy = 'If it runs, check its firewall and its SHAZBOT_BASE_URL';
    return serverFindings(peer, {
      what: `peer ${redactUrl(peer.url.href)}`,
      unreachable: { is: 'worth a look', remedy },
      listAnswer: (says) => {
        const isListed = listsServer(baseUrlsOf(peer.list?.json), server.listedAs);
        return { is: 'fine', says: isListed || peer.list?.status === 401 ? says : `${says}, but not this one` };
      },
    });
  });
}

/**
 * @param {import('./facts.js').Facts} facts
 * @returns {Finding[]}
 */
function checkListedByPeers({ peers, server, status }) {
  if (peers.length === 0 || status.answer?.state === 'drained') return [];
  const lists = peers.flatMap(({ list }) =>
    list?.status === 200 && hasListRoute(list) ? [baseUrlsOf(list.json)] : [],
  );
  if (lists.some((urls) => listsServer(urls, server.listedAs))) return [];
  if (lists.length === 0) {
    const says = `none of the ${peers.length} other servers that were asked returned its list`;
    return [{ what: 'peers', is: 'worth a look', says }];
  }
  const causes =
    'SHAZBOT_SECRET, SHAZBOT_AUTH or SHAZBOT_CLUSTER differs there, or SHAZBOT_BASE_URL does not lead here';
  return [{ what: 'peers', is: 'wrong', says: `none of ${lists.length} other servers lists this one: ${causes}` }];
}

/**
 * @param {import('./facts.js').Facts} facts
 * @returns {Finding[]}
 */
function checkPeersKnown({ peers, isValid }) {
  const what = 'peers';
  if (!isValid) {
    return [{ what, is: 'worth a look', says: 'other servers are asked only once the environment is valid' }];
  }
  if (peers.length > 0) return [];
  return [{ what, is: 'worth a look', says: 'neither the master list nor this server names another server' }];
}

module.exports = { checkListedByPeers, checkPeerServers, checkPeersKnown };
