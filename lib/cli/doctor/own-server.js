'use strict';

// Checks of the server that runs with this environment.

const { isLoopback } = require('../server-options.js');
const { baseUrlsOf } = require('./facts.js');
const { redactUrl } = require('./list-files.js');
const { listsServer, serverFindings } = require('./server-findings.js');

/** @typedef {import('./doctor.js').Finding} Finding */
/** @typedef {import('./facts.js').Facts} Facts */

/**
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkControlSecret({ status: { wrongSecret } }) {
  return wrongSecret ? [{ what: 'control secret', is: 'wrong', says: wrongSecret }] : [];
}

/**
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkDuplicates({ status: { processes }, server }) {
  if (processes <= 1) return [];
  const problem = `at least ${processes} processes answer at ${server.base}`;
  const remedy = 'give each process its own base URL (EXAMPLES.md, "PM2 and node:cluster")';
  return [{ what: 'own URL', is: 'wrong', says: `${problem}: ${remedy}` }];
}

/**
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkOwnServer({ own, server, status }) {
  const remedy = 'Does the program run, and do other servers reach it at SHAZBOT_BASE_URL?';
  return serverFindings(own, {
    what: `own URL ${redactUrl(own.url.href)}`,
    unreachable: { is: 'wrong', remedy },
    listAnswer: (says) => {
      const isListed = listsServer(baseUrlsOf(own.list?.json), server.listedAs);
      if (isListed || own.list?.status === 401) return { is: 'fine', says };
      return { is: 'worth a look', says: `${says}, but not itself: ${notListedReason(status.answer)}` };
    },
  });
}

/** @param {import('../../../index.js').ShazbotStatus | undefined} status */
function notListedReason(status) {
  if (!status) return 'it is drained, or another server answers here';
  if (status.state === 'drained') return 'it is drained; `clustershazbot online` puts it back online';
  return `the server that answers has the base URL ${status.baseUrl}: its SHAZBOT_BASE_URL differs from the one here`;
}

/**
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkGossipSecret({ gossipSecret }) {
  if (!gossipSecret) return [];
  const what = 'gossip secret';
  const { status, json } = gossipSecret;
  // Routes of version 1 answer 401 to every error.
  if (status === 400 || /^Invalid gossip message/.test(json?.error)) {
    return [{ what, is: 'fine', says: 'the server accepts SHAZBOT_SECRET' }];
  }
  const says = `the server answers ${status} to SHAZBOT_SECRET: ${json?.error ?? 'without a reason'}`;
  return [{ what, is: 'wrong', says }];
}

/**
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkExchanges({ status: { answer } }) {
  if (!answer) return [];
  const { rejected, answered } = answer.exchanges.out;
  const what = 'exchanges';
  const counts = `${answered} answered since its start, ${rejected} rejected`;
  if (rejected === 0) return [{ what, is: 'fine', says: counts }];
  const cause = 'SHAZBOT_SECRET, SHAZBOT_AUTH or SHAZBOT_CLUSTER differs on other servers, which its warnings name';
  return [{ what, is: answered === 0 ? 'wrong' : 'worth a look', says: `${counts}: ${cause}` }];
}

/**
 * What the server itself reports: it may run as another user or on another network than this command.
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkMasterListsOfServer({ status: { answer } }) {
  const failing = (answer?.masterLists ?? []).filter(({ error }) => error);
  return failing.map(({ name, error }) => ({
    what: `master list ${name}, as the server reports`,
    is: 'wrong',
    says: String(error),
  }));
}

/**
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkLoopback({ server: { listedAs } }) {
  if (!isLoopback(new URL(listedAs).hostname)) return [];
  const says = `${listedAs} is a loopback address: only processes on this machine can reach it`;
  return [{ what: 'own URL', is: 'worth a look', says }];
}

module.exports = {
  checkControlSecret,
  checkDuplicates,
  checkExchanges,
  checkGossipSecret,
  checkLoopback,
  checkMasterListsOfServer,
  checkOwnServer,
};
