'use strict';

// Makes up the status of a cluster, for tests and pictures of the page.

/** Versions of the program while the newest is being rolled out. */
const VERSIONS = ['1.5.0', '1.4.2', '1.4.2', '1.4.1', '1.4.2', '1.5.0', '1.3.9', '1.4.2', '1.4.0', '1.5.0', '1.4.2'];
const ZONES = ['eu-1a', 'eu-1b', 'eu-1c'];

/**
 * Makes up a status of `count` servers, always the same, with some servers in each state.
 *
 * @param {number} count
 * @param {number} at ms since the epoch
 * @returns {import('..').ShazbotStatus}
 */
function statusOf(count, at) {
  const url = (/** @type {number} */ n) => `https://app-${String(n).padStart(4, '0')}.internal:3000/`;
  /** @type {import('..').MemberStatus[]} */
  const members = Array.from({ length: count }, (_, n) => {
    const listed = {
      baseUrl: url(n),
      monitor: n % 40 === 0,
      lastUpdate: at - 900 * (n % 90),
      since: at - 9e6,
      changedAt: at - 9e6,
    };
    const contact = { answered: at - 1_300 * (n % 170), heard: at - 800 * (n % 60), failures: 0 };
    const base = {
      ...listed,
      state: /** @type {const} */ ('online'),
      protocol: /** @type {const} */ (2),
      incarnation: at - 9e6,
      version: '2.0.0',
      ready: true,
      tags: { role: n % 4 === 3 ? 'worker' : 'api', version: VERSIONS[n % VERSIONS.length], zone: ZONES[n % 3] },
      ...contact,
    };
    const changedAt = at - 36_000 * (1 + (n % 50));
    const lastError = { code: 'ECONNREFUSED', message: 'Connection refused (os error 111)', at: at - 4_000 };
    if (n % 17 === 5) {
      return { ...base, state: 'offline', reason: 'failed', by: url(n + 1), changedAt, failures: 3, lastError };
    }
    if (n % 23 === 7) return { ...base, state: 'offline', reason: 'drained', changedAt };
    if (n % 19 === 8) return { ...base, state: 'offline', reason: 'left', changedAt };
    if (n % 29 === 9) return { ...base, state: 'suspect', changedAt: at - 2_000, failures: 1, lastError };
    return base;
  });
  const recent = members
    .filter(({ state }) => state !== 'online')
    .slice(0, 40)
    .map(({ baseUrl, monitor, lastUpdate, state, reason, by }, n) => {
      const type = state === 'suspect' ? 'suspect' : 'offline';
      const details = { ...(reason && { reason }), ...(by && { by }) };
      return /** @type {import('..').MemberEvent} */ ({
        type,
        baseUrl,
        monitor,
        lastUpdate,
        ...details,
        at: at - 60_000 * (40 - n),
        knownAfter: 40 + 71 * (n % 9),
      });
    });
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
    warnings: [],
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
      rumours: 52,
      suspicions: 11,
      deaths: 4,
      refutations: 0,
      watches: { open: 2, closed: 5, vanished: 1, notOpened: 2, probes: 7 },
      eventLoop: 0.02,
    },
  };
}

module.exports = { statusOf };
