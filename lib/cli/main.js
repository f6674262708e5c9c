'use strict';

// The command line: reads the arguments and runs the command.

const { parseArgs } = require('node:util');
const { version } = require('../../package.json');
const { fillBaseUrl } = require('../base-url.js');
const { CommandError } = require('./command-error.js');
const { commands } = require('./commands.js');
const { doctor } = require('./doctor/doctor.js');
const { addSecretsOf, printError, printJson } = require('./output.js');
const { serverOptions } = require('./server-options.js');
const { tagOptions } = require('./tag-options.js');
const { hasColour } = require('./terminal.js');
const { watch } = require('./watch.js');

const HELP = `clustershazbot COMMAND [options]

Shows the servers of a cluster, drains a server and finds configuration errors.

  list      prints the servers, online and offline
  status    prints how one server sees itself and the others (needs the ready-made routes)
  watch     the same, updated live
  offline   drains the server: all servers list it offline, and it keeps running
  online    puts a drained server back online
  check     health check: does the server answer, and does it list enough servers online?
  doctor    checks the environment, the master list, the server's own URL, its clock and its peers
  demo      runs five servers on this machine, kills one and drains one
  dev       runs a program as a server of a cluster on this machine, for development; see dev --help
  master-list
            runs a server that keeps a master list in a file; see master-list --help

  --url URL           the server to ask; default: SHAZBOT_BASE_URL
  --secret-file FILE  file with the control secret; default: SHAZBOT_CONTROL_SECRET_FILE, then SHAZBOT_CONTROL_SECRET
  --timeout SECONDS   for each answer; default 5
  --where KEY=VALUE   for list, status and watch: only servers with this tag (needs the ready-made routes). Several conditions
                      with commas between; a server matches one of the values of a key that is given twice
  --tags KEYS         for the same: shows these tags, with commas between
  --all               for list, status and watch: show those, too, that left in order. JSON always has them
  --json              print JSON
  --min-online N      for check: how many servers must be listed online; default 1. A drained server is healthy
  --help, --version

If the program has its configuration in code, pass --url and --secret-file: a command sees the environment only.
NO_COLOR turns colours off, FORCE_COLOR turns them on; without either they are on if the output is a terminal.
Exit code: 0 success; 1 failure, or a negative answer of check or doctor; 2 wrong usage.

  npx clustershazbot list --url http://app-1.internal:3000/
  npx clustershazbot watch --where role=api --tags zone,version
  SHAZBOT_CONTROL_SECRET_FILE=/run/secrets/control npx clustershazbot offline
  node node_modules/clustershazbot/bin/clustershazbot.js check --min-online 2     # HEALTHCHECK of a container
`;

const options = /** @type {const} */ ({
  url: { type: 'string' },
  'secret-file': { type: 'string' },
  timeout: { type: 'string' },
  'min-online': { type: 'string' },
  where: { type: 'string', multiple: true },
  tags: { type: 'string', multiple: true },
  all: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
});

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit code
 */
async function main(args) {
  // These have their own options.
  if (args[0] === 'demo') return require('./demo.js').demo(args.slice(1));
  if (args[0] === 'dev') return require('./dev.js').dev(args.slice(1), process.env);
  if (args[0] === 'master-list') return require('./master-list.js').masterList(args.slice(1), process.env);
  addSecretsOf(process.env);
  let name = '';
  try {
    const { values, positionals } = parse(args);
    name = positionals[0] ?? '';
    if (values.help || name === 'help') process.stdout.write(HELP);
    else if (values.version) process.stdout.write(`${version}\n`);
    else return await runCommand(name, positionals.slice(1), values);
    return 0;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (args.includes('--json')) printErrorAsJson(name, error.message);
    printError(error.message);
    if (error.kind === 'no command') console.error(`\n${HELP}`);
    return error.exitCode;
  }
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new CommandError(`${message.replaceAll('\n', ' ')}; --help lists the options`, 2);
  }
}

/**
 * @param {string} name
 * @param {string[]} extra arguments after the name
 * @param {ReturnType<typeof parse>['values']} values
 */
async function runCommand(name, extra, values) {
  if (!name) throw new CommandError('No command given.', 2, 'no command');
  if (extra.length > 0) throw new CommandError(`Unexpected argument "${extra[0]}" after ${name}; see --help`, 2);
  if (['demo', 'dev', 'master-list'].includes(name)) {
    throw new CommandError(`${name} must be the first argument; see ${name} --help for its options`, 2);
  }
  const { all = false, json = false, 'min-online': minOnline = '1' } = values;
  const colour = hasColour(process.stdout, process.env);
  if (name === 'doctor') return doctor({ env: process.env, options: values, json, colour });
  const command = name === 'watch' ? watch : Object.hasOwn(commands, name) && commands[name];
  if (!command) throw new CommandError(`Unknown command "${name}"; --help lists the commands`, 2);
  if (!/^\d+$/.test(minOnline)) throw new CommandError('--min-online must be a whole number', 2);
  const tags = tagOptions(values);
  if (tags.isUsed && !['list', 'status', 'watch'].includes(name)) {
    throw new CommandError('--where and --tags are for list, status and watch', 2);
  }
  const server = serverOptions(values, await environmentFor(values.url));
  return command({ server, all, json, colour, minOnline: Number(minOnline), tags });
}

/**
 * The environment with the placeholders of SHAZBOT_BASE_URL filled in, as the server does it.
 * @param {string | undefined} url the server to ask, if that is an option
 * @returns {Promise<NodeJS.ProcessEnv>}
 */
async function environmentFor(url) {
  const { baseUrl, problems } = await fillBaseUrl(process.env);
  if (problems[0] && !url) throw new CommandError(problems[0], 2, 'no server');
  return { ...process.env, SHAZBOT_BASE_URL: baseUrl ?? '' };
}

/**
 * @param {string} name of the command
 * @param {string} error
 */
function printErrorAsJson(name, error) {
  // watch prints one JSON value per line.
  if (name === 'watch') printJson({ error }, 0);
  else printJson({ ...(name === 'check' && { healthy: false }), error });
}

module.exports = { main };
