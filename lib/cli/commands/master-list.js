'use strict';

// The `master-list` command: a small server that keeps the master list in a file, for those who have no store for it.

const { existsSync, readFileSync } = require('node:fs');
const { parseArgs } = require('node:util');
const { CommandError } = require('../command-error.js');
const { ListDocument } = require('../master-list/document.js');
const { listServer } = require('../master-list/server.js');
const { addSecret, addSecretsOf, print, printError } = require('../output.js');

const HELP = `npx clustershazbot master-list [options]

Keeps the master list in a file: answers GET and PUT /servers.json, with conditional updates. Give all servers

  SHAZBOT_MASTER_LIST=http://this-host:8080/servers.json
  SHAZBOT_MASTER_LIST_UPDATE=http://this-host:8080/servers.json
  SHAZBOT_MASTER_LIST_UPDATE_AUTH=the same value as here

  --port PORT         default 8080; 0: any free port
  --host ADDRESS      the address to listen at; default: all
  --file FILE         default servers.json
  --secret-file FILE  file with the Authorization header that a PUT needs; default: SHAZBOT_MASTER_LIST_UPDATE_AUTH
  --help

With SHAZBOT_MASTER_LIST_AUTH, a GET needs that header (or the one of PUT), too. Without TLS: use it in a network that you
trust, or behind a proxy. Ends on SIGTERM and SIGINT.
`;

const options = /** @type {const} */ ({
  port: { type: 'string', default: '8080' },
  host: { type: 'string' },
  file: { type: 'string', default: 'servers.json' },
  'secret-file': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
});

/**
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} exit code, once the server has ended
 */
async function masterList(args, env) {
  try {
    const { values } = parse(args);
    if (values.help) {
      process.stdout.write(HELP);
      return 0;
    }
    return await serve(values, env);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    printError(error.message);
    return error.exitCode;
  }
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({ args, options });
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new CommandError(`${message.replaceAll('\n', ' ')}; master-list --help lists the options`, 2);
  }
}

/**
 * @param {ReturnType<typeof parse>['values']} values
 * @param {NodeJS.ProcessEnv} env
 */
async function serve({ port, host, file, 'secret-file': secretFile }, env) {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new CommandError('--port must be a port number', 2);
  addSecretsOf(env);
  const writeSecret = secretFile ? readSecret(secretFile) : env.SHAZBOT_MASTER_LIST_UPDATE_AUTH;
  if (!writeSecret) {
    const remedy = 'Set SHAZBOT_MASTER_LIST_UPDATE_AUTH or pass --secret-file: `openssl rand -base64 32` makes one';
    throw new CommandError(`No secret given: anybody could write the list. ${remedy}`, 2);
  }
  addSecret(writeSecret);
  const server = listServer({
    document: openDocument(file),
    writeSecret,
    readSecret: env.SHAZBOT_MASTER_LIST_AUTH || undefined,
    onError: printError,
  });
  await new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new CommandError(`Cannot listen: ${error.message}`, 1)));
    server.listen(Number(port), host, () => resolve(undefined));
  });
  const { address, family, port: own } = /** @type {import('node:net').AddressInfo} */ (server.address());
  print(
    `The master list is at http://${family === 'IPv6' ? `[${address}]` : address}:${own}/servers.json, and in ${file}`,
  );
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.once(signal, () => server.close());
  await new Promise((resolve) => server.once('close', resolve));
  return 0;
}

/** @param {string} file */
function readSecret(file) {
  const secret = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (!secret) throw new CommandError(`Cannot read the secret from ${file}: it does not exist or is empty`, 2);
  return secret;
}

/** @param {string} file */
function openDocument(file) {
  try {
    return new ListDocument(file);
  } catch (error) {
    throw new CommandError(`Cannot use ${file}: ${/** @type {Error} */ (error).message}`, 1);
  }
}

module.exports = { masterList };
