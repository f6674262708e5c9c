'use strict';

// The `dev` command: runs a program as a server of a cluster that exists on this machine only, for development.

const { spawn } = require('node:child_process');
const os = require('node:os');
const { parseArgs } = require('node:util');
const { fillBaseUrl } = require('../../base-url.js');
const { CommandError } = require('../command-error.js');
const { devFolder, devSecret, freePort } = require('../dev/state.js');
const { printError } = require('../output.js');
const { signalProgram } = require('../processes.js');
const { isLoopback, parseBaseUrl } = require('../server-options.js');

const HELP = `npx clustershazbot dev -- COMMAND [ARGS...]

Runs a program as a server of a cluster that exists on this machine only: all that are run so in the same folder find
each other. Run it in several terminals:

  npx clustershazbot dev -- node app.js

It sets these variables for the program, unless they are set:

  PORT                     the first free port from 3000 on; the program must listen there
  SHAZBOT_BASE_URL         http://127.0.0.1:PORT/
  SHAZBOT_MASTER_LIST      a file in a folder of yours among the temporary files, one for each working directory
  SHAZBOT_SECRET           random, kept in that folder
  SHAZBOT_CONTROL_SECRET   random, kept in that folder
  SHAZBOT_GOSSIP_INTERVAL  1

It refuses to run with NODE_ENV=production, or with a SHAZBOT_BASE_URL that is not a loopback address.
Exit code: that of the program; 2 for wrong usage.
`;

/**
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} exit code
 */
async function dev(args, env) {
  try {
    const { values, positionals } = parse(args);
    if (values.help) {
      process.stdout.write(HELP);
      return 0;
    }
    const [command, ...rest] = positionals;
    if (!command) throw new CommandError('No program given, for example: npx clustershazbot dev -- node app.js', 2);
    return await run(command, rest, await devEnvironment(env));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    printError(error.message);
    return error.exitCode;
  }
}

/** @param {string[]} args */
function parse(args) {
  // Options of the program are not those of this command.
  const end = args.indexOf('--');
  const own = end < 0 ? args : args.slice(0, end);
  try {
    const { values, positionals } = parseArgs({
      args: own,
      options: { help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
    if (positionals[0]) throw new Error(`Write -- before the program: dev -- ${own.join(' ')}`);
    return { values, positionals: end < 0 ? [] : args.slice(end + 1) };
  } catch (error) {
    throw new CommandError(/** @type {Error} */ (error).message.replaceAll('\n', ' '), 2);
  }
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<NodeJS.ProcessEnv>}
 */
async function devEnvironment(env) {
  if (env.NODE_ENV === 'production') {
    throw new CommandError(
      'dev is for development: NODE_ENV is production. Set the variables there: see docs/configuration.md',
      2,
    );
  }
  const folder = devFolder(process.cwd());
  // An empty variable counts as missing, as it does for the engine.
  const complete = {
    ...env,
    PORT: env.PORT || String(await freePort(folder)),
    SHAZBOT_BASE_URL: env.SHAZBOT_BASE_URL || 'http://127.0.0.1:{port}/',
    SHAZBOT_MASTER_LIST: env.SHAZBOT_MASTER_LIST || folder.listUrl,
    SHAZBOT_SECRET: env.SHAZBOT_SECRET || devSecret(folder, 'secret'),
    SHAZBOT_CONTROL_SECRET: env.SHAZBOT_CONTROL_SECRET || devSecret(folder, 'control-secret'),
    SHAZBOT_GOSSIP_INTERVAL: env.SHAZBOT_GOSSIP_INTERVAL || '1',
  };
  const { baseUrl = '', problems } = await fillBaseUrl(complete);
  if (problems[0]) throw new CommandError(problems[0], 2);
  const url = parseBaseUrl(baseUrl);
  // Else a server that others reach would run with secrets and defaults that are made for this machine.
  if (!url || !isLoopback(url.hostname)) {
    throw new CommandError('dev is for one machine: SHAZBOT_BASE_URL must have a loopback address, or be unset', 2);
  }
  const secretFile = env.SHAZBOT_CONTROL_SECRET ? '' : ` --secret-file ${folder.path}/control-secret`;
  console.error(`clustershazbot dev: ${url.href}; npx clustershazbot members --watch --url ${url.href}${secretFile}`);
  return { ...complete, SHAZBOT_BASE_URL: url.href };
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} exit code
 */
function run(command, args, env) {
  // On Windows only a shell finds npm.cmd and the like.
  const child = spawn(command, args, { env, stdio: 'inherit', shell: process.platform === 'win32' });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to both, and a second one would end programs that are ending in order.
      if (child.pid && (signal !== 'SIGINT' || !process.stdin.isTTY)) signalProgram(child.pid, signal);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new CommandError(`Cannot run ${command}: ${error.message}`, 2)));
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? os.constants.signals[signal] : 0)));
  });
}

module.exports = { dev };
