'use strict';

// The warnings in the status of a server: which of them mean that servers are kept apart.

/** @typedef {{ code: string, message: string, since: number, subject?: string }} Warning */

/** The other warnings leave the servers of the cluster together. */
const APART = new Set([
  'SHAZBOT_ALONE',
  'SHAZBOT_CLOCK',
  'SHAZBOT_DUPLICATE_BASE_URL',
  'SHAZBOT_FAILED',
  'SHAZBOT_ISOLATED',
  'SHAZBOT_LIST_UNUSABLE',
  'SHAZBOT_PEER_REFUSED_SECRET',
  'SHAZBOT_UNREACHABLE',
  'SHAZBOT_WRONG_CLUSTER',
]);

/** @param {Warning} warning */
const keepsApart = ({ code }) => APART.has(code) || code.startsWith('SHAZBOT_SELF_PROBE');

module.exports = { keepsApart };
