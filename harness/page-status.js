'use strict';

// Makes up the status of a cluster, for tests and pictures of the page.

/** Versions of the program while the newest is being rolled out. */
const VERSIONS = ['1.5.0', '1.4.2', '1.4.2', '1.4.1', '1.4.2', '1.5.0', '1.3.9', '1.4.2', '1.4.0', '1.5.0', '1.4.2'];
const ZONES = ['eu-1a', 'eu-1b', 'eu-1c'];

const REFUSED = { code: 'ECONNREFUSED', message: 'Connection refused (os error 111)' };
const NO_ANSWER = { code: 'ETIMEDOUT', message: 'no connection within 500 ms' };

/** @typedef {import('..').MemberStatus} Member */
/** @typedef {(n: number, at: number) => Partial<Member>} StateOf what distinguishes server n from one that is online */

/** How the servers are in each kind of cluster. @type {Record<'healthy' | 'mixed' | 'incident', StateOf>} */
const KINDS = {
  healthy: () => ({}),
  // Some servers in each state.
  mixed(n, at) {
    const changedAt = at - 36_000 * (1 + (n % 50));
    const lastError = { ...REFUSED, at: at - 4_000 };
    if (n % 17 === 5) {
      return { state: 'offline', reason: 'failed', by: url(n + 1), changedAt, failures: 3, lastError };
    }
    if (n % 23 === 7) return { state: 'offline', reason: 'drained', changedAt };
    if (n % 19 === 8) return { state: 'offline', reason: 'left', changedAt };
    if (n % 29 === 9) return { state: 'suspect', changedAt: at - 2_000, failures: 1, lastError };
    return {};
  },
  // A zone has failed, a moment ago.
  incident(n, at) {
    const changedAt = at - 40_000 + 20 * (n % 200);
    const lastError = { ...NO_ANSWER, at: at - 9_000 };
    if (n % 3 === 1) return { state: 'offline', reason: 'failed', by: url(0), changedAt, failures: 2, lastError };
    if (n % 41 === 6) return { state: 'suspect', changedAt: at - 2_000, failures: 1, lastError: { ...REFUSED, at } };
    if (n % 41 === 8) return { state: 'offline', reason: 'drained', changedAt: at - 9e5 };
    return {};
  },
};

/** @param {number} n */
const url = (n) => `https://app-${String(n).padStart(4, '0')}.internal:3000/`;

/**
 * Makes up a status of `count` servers, always the same.
 *
 * @param {number} count
 * @param {number} at ms since the epoch
 * @param {keyof typeof KINDS} [kind]
 * @returns {import('..').ShazbotStatus}
 */
function statusOf(count, at, kind = 'mixed') {
  const members = Array.from({ length: count }, (_, n) => ({ ...onlineMember(n, at), ...KINDS[kind](n, at) }));
  const recent = recentEvents(members, at);
  return {
    baseUrl: url(0),
    state: 'online',
    monitor: true,
    version: '2.0.0',
    at,
    startedAt: at - 9e6,
    interval: 30,
    lastIn: { at: at - 1_000, baseUrl: url(3) },
    lastOut: { at: at - 4_000, baseUrl: url(1) },
    warnings: kind === 'incident' ? [warning(at)] : [],
    members,
    masterLists: [
      {
        name: 'https://store.internal/servers.json',
        servers: count,
        failures: 0,
        failed: 1,
        read: at - 3e5,
        written: at - 7e5,
      },
    ],
    recent,
    exchanges: {
      out: { answered: 1_204, refused: 9, timedOut: 3, unreachable: 1, rejected: 0, failed: 0 },
      in: { answered: 1_350, rejected: 2, invalid: 0, limited: 0 },
      durations: {
        le: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
        counts: [12, 310, 560, 210, 70, 25, 9, 5, 2, 1, 0, 0, 0],
        sum: 6.2,
      },
      bytes: { out: { sent: 640_000, received: 610_000 }, in: { sent: 700_000, received: 690_000 } },
      updates: 52,
      suspicions: 11,
      deaths: 4,
      refutations: 0,
      watches: { open: 2, closed: 5, vanished: 1, notOpened: 2, probes: 7 },
      eventLoop: 0.02,
    },
  };
}

/** @param {number} n @param {number} at @returns {Member} */
function onlineMember(n, at) {
  return {
    baseUrl: url(n),
    monitor: n % 40 === 0,
    state: 'online',
    protocol: 2,
    lastUpdate: at - 900 * (n % 90),
    since: at - 9e6,
    changedAt: at - 9e6 + 3_000 * (n % 50),
    incarnation: at - 9e6,
    version: '2.0.0',
    ready: true,
    tags: {
      role: n % 4 === 3 ? 'worker' : 'api',
      version: String(VERSIONS[n % VERSIONS.length]),
      zone: String(ZONES[n % 3]),
    },
    answered: at - 1_300 * (n % 170),
    heard: at - 800 * (n % 60),
    failures: 0,
  };
}

/**
 * The events that led to these members.
 *
 * @param {Member[]} members
 * @param {number} at
 */
function recentEvents(members, at) {
  const events = members.map((member) => {
    const { baseUrl, monitor, lastUpdate, state, reason, by, lastError, changedAt } = member;
    const details = { ...(reason && { reason }), ...(by && { by }), ...(lastError && { error: lastError }) };
    return /** @type {import('..').MemberEvent} */ ({
      type: state,
      baseUrl,
      monitor,
      lastUpdate,
      ...details,
      at: Math.min(changedAt, at),
      knownAfter: 40,
    });
  });
  return events.sort((a, b) => a.at - b.at).slice(-200);
}

/** @param {number} at @returns {import('..').ShazbotWarning} */
const warning = (at) => ({
  code: 'SHAZBOT_LIST_UNUSABLE',
  message: 'the master list https://store.internal/servers.json could not be read: HTTP 503',
  since: at - 38_000,
});

module.exports = { statusOf };
