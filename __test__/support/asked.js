'use strict';

// What servers answered that `doctor` asked, made up for tests of its checks.

const AT = 1_000_000_000_000;
/** @type {any} */
const TARGET = { listedAs: 'http://a:3000/' };
const NONE_PASSED = { left: 0, ignored: 0, more: 0 };
const NONE = { refused: 0, timedOut: 0, unreachable: 0, rejected: 0, failed: 0 };

/**
 * What a server answered.
 * @param {string} name
 * @param {{ online?: string[], members?: any[], status?: object, clockAhead?: number, problem?: object }} answer
 * @returns {any}
 */
function asked(name, { online = [], members = [], status = {}, clockAhead = 0, problem }) {
  const url = new URL(`http://${name}:3000/`);
  if (problem) return { url, answers: false, problem, clockAhead: Number.NaN };
  const list = { online: online.map((it) => ({ baseUrl: `http://${it}:3000/` })) };
  const own = {
    at: AT,
    startedAt: AT - 1e6,
    version: '2.0.0',
    interval: 30,
    members,
    exchanges: { out: { answered: 1, ...NONE } },
  };
  return { url, answers: true, list, status: { ...own, ...status }, clockAhead };
}

/** @param {string} name @param {object} [more] */
const member = (name, more) => ({ baseUrl: `http://${name}:3000/`, state: 'online', failures: 0, ...more });
/** @param {string} code */
const failed = (code) => ({
  state: 'offline',
  reason: 'failed',
  by: 'http://b:3000/',
  changedAt: AT - 36_000,
  lastError: { code, message: code, at: AT - 1_000 },
});

module.exports = { AT, NONE, NONE_PASSED, TARGET, asked, failed, member };
