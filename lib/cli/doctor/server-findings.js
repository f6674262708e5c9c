'use strict';

// What the answers of one server say about it: used for the own server and for peers.

const { parseBaseUrl } = require('../server-options.js');
const { formatDuration } = require('../terminal.js');
const { hasListRoute } = require('./facts.js');
const { redactUrl } = require('./list-files.js');

/** Clocks that differ by more are reported, and by more than MAX_CLOCK_ERROR are wrong, ms. */
const NOTABLE_CLOCK_ERROR = 60_000;
const MAX_CLOCK_ERROR = 3_600_000;

/** @typedef {import('./doctor.js').Finding} Finding */
/** @typedef {import('./facts.js').ServerFacts} ServerFacts */

/**
 * What the answers of a server say about its routes and its clock.
 * @param {ServerFacts} facts
 * @param {object} texts
 * @param {string} texts.what
 * @param {{ is: Finding['is'], remedy: string }} texts.unreachable
 * @param {(says: string) => { is: Finding['is'], says: string }} texts.listAnswer judges a list route that works
 * @returns {Finding[]}
 */
function serverFindings({ url, list, gossipStatus, error }, { what, unreachable, listAnswer }) {
  /** @type {Finding[]} */
  const findings = [];
  if (list && !hasListRoute(list)) return [{ what, is: 'wrong', says: brokenList(list, unreachable.remedy) }];
  if (list) findings.push({ what, ...listAnswer(workingList(list)) }, ...clockFindings(url, list.clockAhead));
  if (gossipStatus !== undefined && gossipStatus !== 401) {
    const answer = `POST clustershazbot/gossip answers ${gossipStatus} to a wrong secret, not 401`;
    const says = `${answer}: is the route mounted, with a JSON body parser before it?`;
    findings.push({ what: `gossip route of ${redactUrl(url.href)}`, is: 'wrong', says });
  }
  if (error) findings.push({ what, is: unreachable.is, says: `${error}. ${unreachable.remedy}` });
  return findings;
}

/**
 * @param {{ status: number }} list
 * @param {string} remedy
 */
function brokenList({ status }, remedy) {
  if (status === 503) return 'it answers 503: the program runs, but shazbotStart was not called or failed';
  const problem = status === 404 ? 'the route does not exist' : 'without a list';
  return `GET clustershazbot/list answers ${status}, ${problem}. ${remedy}`;
}

/** @param {{ status: number, json: any, took: number }} list */
function workingList({ status, json, took }) {
  if (status === 401) return 'it answers; its list needs a secret';
  return `it answers after ${took} ms and lists ${json.online.length} online`;
}

/**
 * @param {URL} url
 * @param {number} ahead ms
 * @returns {Finding[]}
 */
function clockFindings(url, ahead) {
  const error = Math.abs(ahead);
  // An answer may have no date.
  if (!(error > NOTABLE_CLOCK_ERROR)) return [];
  const says = `its clock is ${formatDuration(error)} ${ahead > 0 ? 'ahead of' : 'behind'} the clock here`;
  const is = error > MAX_CLOCK_ERROR ? 'wrong' : 'worth a look';
  return [{ what: `clock of ${redactUrl(url.href)}`, is, says }];
}

/**
 * @param {string[]} urls
 * @param {string} listedAs
 */
const listsServer = (urls, listedAs) => urls.some((url) => parseBaseUrl(url)?.href === listedAs);

module.exports = { listsServer, serverFindings };
