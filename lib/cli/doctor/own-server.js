'use strict';

// Checks of the server at --url, or of the one that runs with this environment.

const { adviceFor } = require('../causes.js');
const { isLoopback, parseBaseUrl } = require('../server-options.js');
const { isOurError } = require('../server-routes.js');
const { formatDuration } = require('../terminal.js');
const { baseUrlsOf } = require('./facts.js');
const { redactUrl } = require('./list-files.js');
const { listsServer } = require('./urls.js');

/** @typedef {import('../commands/doctor.js').Finding} Finding */
/** @typedef {import('./facts.js').Facts} Facts */

/** After so many intervals without an answered exchange something is wrong. */
const QUIET_INTERVALS = 5;

/**
 * Says which server is checked if --url names another one than the environment.
 * @param {Pick<Facts, 'env' | 'target'>} facts
 * @returns {Finding[]}
 */
function checkTarget({ env, target: { server, hasUrl, listedAs } }) {
  const other = parseBaseUrl(env.SHAZBOT_BASE_URL ?? '')?.href;
  const { href } = server.base;
  if (!hasUrl || !other || other === href || other === listedAs) return [];
  const found = `checks ${href}, as --url says; SHAZBOT_BASE_URL is ${other}`;
  return [{ result: 'ok', check: 'base URL', found }];
}

/**
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkOwnUrl({ own, target: { hasUrl, listedAs } }) {
  const check = 'base URL';
  const name = redactUrl(own.url.href);
  if (own.problem) {
    const { code, text } = own.problem;
    const advice =
      adviceFor(code, own.url) || 'Does the program run, and do other servers reach it at SHAZBOT_BASE_URL?';
    return [{ result: 'fail', check, found: `${name}: ${text}`, advice }];
  }
  /** @type {Finding[]} */
  const findings = [];
  const urls = baseUrlsOf(own.list);
  const as = listedAs && listedAs !== own.url.href && own.status ? ` as ${listedAs}` : '';
  const answer = own.list
    ? `answers${as} after ${own.took} ms and lists ${urls.length} online`
    : `answers${as}; its list needs a secret`;
  if (!own.list || !listedAs || listsServer(urls, listedAs))
    findings.push({ result: 'ok', check, found: `${name}: ${answer}` });
  else {
    const found = `${name}: ${answer}, but not itself`;
    findings.push({ result: 'warn', check, found, advice: notListedReason(own.status) });
  }
  // Others may reach a server at another URL than the one at which it is asked here.
  const isKnown = listedAs && (own.status || !hasUrl);
  if (isKnown && isLoopback(new URL(listedAs).hostname)) {
    const found = `${listedAs} is a loopback address: only processes on this machine can reach it`;
    const advice = 'If there are servers on other machines, set SHAZBOT_BASE_URL to an address that they reach.';
    findings.push({ result: 'warn', check, found, advice });
  }
  return findings;
}

/** @param {import('../../../index.js').ShazbotStatus | undefined} status */
function notListedReason(status) {
  if (!status) return 'It is drained, or another server answers here.';
  if (status.state === 'drained') return 'It is drained; `clustershazbot undrain` puts it back online.';
  return `The server that answers has the base URL ${status.baseUrl}: its SHAZBOT_BASE_URL differs from the one here.`;
}

/**
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkDuplicates({ processes, target: { server } }) {
  if (processes <= 1) return [];
  const found = `at least ${processes} processes answer at ${server.base}`;
  const advice = 'Give each process its own base URL (docs/production.md, "PM2 and node:cluster").';
  return [{ result: 'fail', check: 'base URL', found, advice }];
}

/**
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkControlSecret({ own, target: { server, hasUrl } }) {
  const check = 'control secret';
  if (hasUrl && own.answers && !server.secret) {
    const found = 'without it, only what the server shows to everybody is checked';
    return [{ result: 'warn', check, found, advice: 'Pass --secret-file, or set SHAZBOT_CONTROL_SECRET.' }];
  }
  if (!own.wrongSecret) return [];
  const found = `${server.base} rejected the request: ${server.secretFrom} does not match`;
  const advice = 'Take the SHAZBOT_CONTROL_SECRET with which the server was started.';
  return [{ result: 'fail', check, found, advice }];
}

/**
 * Reports the secret only if our own routes refused it: a guard of the program answers 401, too.
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkGossipSecret({ gossipSecret, own }) {
  if (!gossipSecret || !isOurError(gossipSecret.json)) return [];
  const check = 'gossip secret';
  const { status, json } = gossipSecret;
  // Routes of version 1 answer 401 to every error.
  if (status === 400 || /^Invalid gossip message/.test(json.error)) {
    return [{ result: 'ok', check, found: 'the server accepts SHAZBOT_SECRET' }];
  }
  const found = `the server answers ${status} to SHAZBOT_SECRET: ${json.error ?? json.code}`;
  return [{ result: 'fail', check, found, advice: adviceFor(json.code ?? 'SHAZBOT_UNAUTHORIZED', own.url) }];
}

/**
 * @param {Facts} facts
 * @returns {Finding[]}
 */
function checkExchanges({ own: { status } }) {
  if (!status) return [];
  const check = 'exchanges';
  const { answered, ...failures } = status.exchanges.out;
  const kinds = Object.entries(failures).filter(([, count]) => count > 0);
  const failed = kinds.reduce((sum, [, count]) => sum + count, 0);
  const detail = kinds.map(([kind, count]) => `${count} ${KINDS[kind] ?? kind}`).join(', ');
  const found = `${answered} answered since its start, ${failed} failed${detail ? ` (${detail})` : ''}`;
  if (answered === 0 && failed > 0) {
    return [
      { result: 'fail', check, found, advice: 'No server has answered this one yet. The rows of the members say why.' },
    ];
  }
  const quiet = status.at - (status.lastOut?.at ?? status.startedAt);
  if (status.members.length > 1 && quiet > QUIET_INTERVALS * 1000 * status.interval) {
    const advice = `Nobody has answered this server for ${formatDuration(quiet)}. The rows of the members say why.`;
    return [{ result: 'warn', check, found, advice }];
  }
  return [{ result: 'ok', check, found }];
}

/** @type {Record<string, string>} */
const KINDS = { timedOut: 'timed out', failed: 'for another reason' };

module.exports = {
  checkControlSecret,
  checkDuplicates,
  checkExchanges,
  checkGossipSecret,
  checkOwnUrl,
  checkTarget,
};
