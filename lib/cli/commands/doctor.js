'use strict';

// The `doctor` command: collects facts without changing anything, runs each check on them, and prints a table.

const { existsSync } = require('node:fs');
const { ANY_URL } = require('../../base-url.js');
const { printable } = require('../../printable.js');
const { CommandError } = require('../command-error.js');
const { checkClocks, checkIntervals, checkSplit, checkVersions } = require('../doctor/agreement.js');
const { checkBaseUrl, checkEnvironment, checkStateFile } = require('../doctor/environment.js');
const { askTarget, collectFacts } = require('../doctor/facts.js');
const { checkMasterLists, checkMasterListsOfServer } = require('../doctor/master-lists.js');
const { checkListed, checkMembers } = require('../doctor/members.js');
const { lookUpNames } = require('../doctor/names.js');
const own = require('../doctor/own-server.js');
const { checkWarnings } = require('../doctor/warnings.js');
const { print, printJson } = require('../output.js');
const { mayHaveSecret, serverOptions } = require('../server-options.js');
const { MAX_ASKED } = require('../survey.js');
const { formatTable } = require('../terminal.js');

/**
 * A row of the table. `found`: what was found, and which server found it; `advice`: cause and remedy. `--json` prints it.
 * @typedef {{ result: 'ok' | 'warn' | 'fail', check: string, found: string, advice?: string }} Finding
 */

/**
 * Each is independent of the others: it gets the facts and returns rows. Their order is that of the table.
 * @type {((facts: import('../doctor/facts.js').Facts) => Finding[])[]}
 */
const CHECKS = [
  own.checkTarget,
  checkMasterLists,
  own.checkOwnUrl,
  own.checkDuplicates,
  own.checkControlSecret,
  own.checkGossipSecret,
  own.checkExchanges,
  checkMasterListsOfServer,
  checkWarnings,
  checkMembers,
  checkListed,
  checkSplit,
  checkClocks,
  checkVersions,
  checkIntervals,
];

/** Without any of these and without --url there is nothing to check. */
const NEEDED = ['SHAZBOT_SECRET', 'SHAZBOT_BASE_URL', 'SHAZBOT_MASTER_LIST'];

/** @type {import('../commands.js').Command} */
const doctor = {
  name: 'doctor',
  aliases: [],
  usage: 'doctor',
  summary: 'finds what keeps servers apart: environment, lists, base URLs, secrets, certificates, clocks, splits',
  description: `Run it with the environment of a server, where that server runs. If the program has its configuration in code, or to check
another server: pass --url and --secret-file. What is not in the environment is then not checked. It changes nothing. Each row
is one check:

  RESULT   ok; warn: look at it; FAIL: it keeps servers apart
  CHECK    what was checked
  FOUND    what was found, by which server, and below that the cause and the remedy

It asks at most ${MAX_ASKED} servers: those in the master lists, in DNS and in the list of the own server. The control secret goes to
the own server, and to the members that it lists with --ask-all or with SHAZBOT_ALLOWED_ORIGINS in the environment.`,
  options: ['url', 'ask-all', 'secret-file', 'env-file', 'timeout', 'json'],
  exits: '1 if a check says FAIL; otherwise 0; 2 for wrong usage.',
  example: 'npx clustershazbot doctor --env-file .env',
  run,
};

/** @param {import('../commands.js').Invocation} invocation */
async function run({ values, env, json, colour }) {
  const findings = await examine(env, values);
  if (json) printJson(findings);
  else print(findingTable(findings, colour).join('\n'));
  return isAnyWrong(findings) ? 1 : 0;
}

/**
 * @param {NodeJS.ProcessEnv} given
 * @param {import('../options.js').Values} values
 * @returns {Promise<Finding[]>}
 */
async function examine(given, values) {
  const hasUrl = Boolean(values.url);
  const { env, findings: placeholders } = await checkBaseUrl(given);
  const hasWrongUrl = !hasUrl && isAnyWrong(placeholders);
  const target = await findTarget(
    values,
    env,
    NEEDED.some((name) => given[name]),
  );
  const ofTarget = target?.listedAs ?? target?.server.base.href;
  const baseUrl = hasWrongUrl ? ANY_URL : hasUrl ? ofTarget : env.SHAZBOT_BASE_URL;
  const checked = checkEnvironment({ ...env, SHAZBOT_BASE_URL: baseUrl ?? '' }, { mayLack: hasUrl });
  const others = checked.filter(({ result }) => !hasWrongUrl || result !== 'ok');
  const environment = [...(hasUrl ? [] : placeholders), ...others];
  const isValid = !isAnyWrong(environment);
  if (!isValid && !values['env-file'] && existsSync('.env')) environment.push(UNREAD_FILE);
  const names = await lookUpNames(env);
  const findings = [...environment, ...(await checkStateFile(env)), ...names.findings];
  if (!target) return findings;
  const secretOfMembers = mayHaveSecret({ values, env }) ? target.server.secret : '';
  const facts = await collectFacts({ env, target, isValid, places: names.places, secretOfMembers });
  return [...findings, ...CHECKS.flatMap((check) => check(facts))];
}

/**
 * @param {import('../options.js').Values} values
 * @param {NodeJS.ProcessEnv} env
 * @param {boolean} hasEnvironment
 */
async function findTarget(values, env, hasEnvironment) {
  try {
    return await askTarget(serverOptions(values, env), Boolean(values.url), env);
  } catch (error) {
    const isReported = hasEnvironment && !values.url;
    if (isReported && error instanceof CommandError && error.kind === 'no server') return undefined;
    throw error;
  }
}

/** @type {Finding} */
const UNREAD_FILE = {
  result: 'warn',
  check: 'environment',
  found: 'the file .env in this folder was not read',
  advice: 'If the program reads it, pass --env-file .env.',
};

/** @param {Finding[]} findings */
const isAnyWrong = (findings) => findings.some(({ result }) => result === 'fail');

/**
 * @param {Finding[]} findings
 * @param {boolean} colour
 * @returns {string[]}
 */
function findingTable(findings, colour) {
  /** @type {Record<Finding['result'], import('../terminal.js').Cell>} */
  const results = { ok: ['ok', 'green'], warn: ['warn', 'yellow'], fail: ['FAIL', 'red'] };
  /** @type {import('../terminal.js').Cell[]} */
  const heads = [
    ['RESULT', 'dim'],
    ['CHECK', 'dim'],
    ['FOUND', 'dim'],
  ];
  const rows = findings.flatMap(({ result, check, found, advice }) => [
    [results[result], /** @type {[string]} */ ([check]), /** @type {[string]} */ ([printable(found)])],
    ...(advice ? [[[''], [''], [`  ${printable(advice)}`]]] : []),
  ]);
  return formatTable([heads, .../** @type {import('../terminal.js').Cell[][]} */ (rows)], { colour });
}

module.exports = { doctor };
