'use strict';

// The `doctor` command: collects facts without changing anything, then runs each check on them.

const { ANY_URL } = require('../../base-url.js');
const { printable } = require('../../printable.js');
const { CommandError } = require('../command-error.js');
const { print, printJson } = require('../output.js');
const { serverOptions } = require('../server-options.js');
const { formatLine } = require('../terminal.js');
const { checkBaseUrl, checkEnvironment, checkInterval, checkStateFile } = require('./environment.js');
const { collectFacts } = require('./facts.js');
const { checkMasterLists } = require('./master-lists.js');
const { checkNames } = require('./names.js');
const {
  checkControlSecret,
  checkDuplicates,
  checkExchanges,
  checkGossipSecret,
  checkLoopback,
  checkMasterListsOfServer,
  checkOwnServer,
} = require('./own-server.js');
const { checkListedByPeers, checkPeersKnown, checkPeerServers } = require('./peers.js');

/**
 * The result of a check: `what` was checked, `is` how serious it is, `says` the explanation. `--json` prints it.
 * @typedef {{ what: string, is: 'fine' | 'worth a look' | 'wrong', says: string }} Finding
 */

/**
 * Each is independent of the others: it gets the facts and returns what it found. Their order is that of the output.
 * @type {((facts: import('./facts.js').Facts) => Finding[])[]}
 */
const CHECKS = [
  checkMasterLists,
  checkControlSecret,
  checkDuplicates,
  checkOwnServer,
  checkGossipSecret,
  checkExchanges,
  checkMasterListsOfServer,
  checkInterval,
  checkLoopback,
  checkPeerServers,
  checkListedByPeers,
  checkPeersKnown,
];

/**
 * @param {{ env: NodeJS.ProcessEnv, options: import('../server-options.js').Options, json: boolean, colour: boolean }} context
 * @returns {Promise<number>} 1 if something is wrong
 */
async function doctor({ env, options, json, colour }) {
  const findings = await examine(env, options);
  if (json) printJson(findings);
  else for (const finding of findings) print(findingLine(finding, colour));
  return isAnyWrong(findings) ? 1 : 0;
}

/**
 * @param {NodeJS.ProcessEnv} given
 * @param {import('../server-options.js').Options} options
 * @returns {Promise<Finding[]>}
 */
async function examine(given, options) {
  const { env, findings: placeholders } = await checkBaseUrl(given);
  const hasWrongUrl = isAnyWrong(placeholders);
  const checked = hasWrongUrl ? { ...env, SHAZBOT_BASE_URL: ANY_URL } : env;
  const others = checkEnvironment(checked).filter(({ is }) => !hasWrongUrl || is !== 'fine');
  const environment = [...placeholders, ...others];
  const findings = [...environment, ...(await checkStateFile(env)), ...(await checkNames(env))];
  try {
    const server = serverOptions(options, env);
    const facts = await collectFacts({ env, server, isValid: !isAnyWrong(environment) });
    return [...findings, ...CHECKS.flatMap((check) => check(facts))];
  } catch (error) {
    if (!(error instanceof CommandError) || error.kind !== 'no server') throw error;
    if (hasWrongUrl) return findings;
    return [...findings, { what: 'own URL', is: 'wrong', says: error.message }];
  }
}

/** @param {Finding[]} findings */
const isAnyWrong = (findings) => findings.some(({ is }) => is === 'wrong');

/**
 * @param {Finding} finding
 * @param {boolean} colour
 */
function findingLine({ what, is, says }, colour) {
  /** @type {Record<Finding['is'], import('../terminal.js').Cell>} */
  const marks = { fine: ['ok   ', 'green'], 'worth a look': ['look ', 'yellow'], wrong: ['WRONG', 'red'] };
  return formatLine([marks[is], [` ${printable(`${what}: ${says}`)}`]], { colour });
}

module.exports = { doctor };
