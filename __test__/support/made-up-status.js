'use strict';

// Statuses of servers that are made up, and a server that answers with one.

const { startFakePeer } = require('../../harness/fake-peer.js');

const AT = 1_000_000_000_000;

/** @param {string} name @param {object} [more] */
const member = (name, more) => ({
  baseUrl: `http://${name}:3000/`,
  monitor: false,
  state: 'online',
  protocol: 2,
  lastUpdate: AT,
  since: AT - 1e6,
  changedAt: AT - 120_000,
  heard: AT - 2_000,
  failures: 0,
  version: '2.0.0',
  ...more,
});

const refused = { code: 'ECONNREFUSED', message: 'connection refused', at: AT - 3_000 };
const MEMBERS = [
  member('d', { state: 'offline', reason: 'left', changedAt: AT - 7_000 }),
  member('c', { state: 'offline', reason: 'failed', by: 'http://a:3000/', lastError: refused, changedAt: AT - 36_000 }),
  member('b', { state: 'offline', reason: 'drained', changedAt: AT - 600_000 }),
  member('a', { version: '2.1.0', tags: { role: 'api' }, heard: undefined }),
];

/** @param {any[]} members @param {object} [more] */
const statusOf = (members, more) => ({
  baseUrl: 'http://a:3000/',
  state: 'online',
  monitor: false,
  version: '2.0.0',
  at: AT,
  startedAt: AT - 1e6,
  interval: 30,
  members,
  masterLists: [],
  recent: [],
  exchanges: { out: { answered: 1, refused: 0, timedOut: 0, unreachable: 0, rejected: 0, failed: 0 } },
  ...more,
});

/** @param {import('node:test').TestContext} t @param {object} status */
async function serverWith(t, status) {
  return startFakePeer(t, {
    answer: () => (res) => {
      const isStatus = res.req.url?.endsWith('/status');
      res.end(JSON.stringify(isStatus ? status : { online: [{ baseUrl: 'http://a:3000/' }] }));
    },
  });
}

module.exports = { AT, MEMBERS, member, refused, serverWith, statusOf };
