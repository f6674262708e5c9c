'use strict';

// The command line: reads the arguments and runs the command.

const { version } = require('../../package.json');
const { CommandError } = require('./command-error.js');
const { GROUPS, findCommand } = require('./commands.js');
const { runAgainIfNeeded, withEnvFiles } = require('./env-files.js');
const { commandHelp, generalHelp } = require('./help.js');
const { parseArguments } = require('./options.js');
const { addSecretsOf, printError, printJson } = require('./output.js');
const { endWithPackageManager } = require('./processes.js');
const { programs } = require('./programs.js');
const { hasColour } = require('./terminal.js');

/** For errors in the arguments, too, which then are not parsed. */
const JSON_OPTION = /(^| )(--json|-o ?json|--output[= ]json)( |$)/;

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit code
 */
async function main(args) {
  const [first = '', second = ''] = args;
  const program = programs.find(({ name }) => name === first || (first === 'help' && name === second));
  if (program) {
    endWithPackageManager(process.env);
    return program.run(first === 'help' ? ['--help'] : args.slice(1), process.env);
  }
  addSecretsOf(process.env);
  let name = '';
  try {
    const { values, positionals } = parseArguments(args);
    name = positionals[0] ?? '';
    if (values.help || name === 'help') process.stdout.write(helpFor(name === 'help' ? (positionals[1] ?? '') : name));
    else if (values.version) process.stdout.write(`${version}\n`);
    else return await runCommand(positionals, values);
    return 0;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (JSON_OPTION.test(args.join(' '))) printErrorAsJson(args, name, error);
    printError(error.message);
    if (error.kind === 'no command') console.error(`\n${generalHelp(GROUPS)}`);
    return error.exitCode;
  }
}

/** @param {string} name of a command, or '' */
const helpFor = (name) => (name ? commandHelp(commandNamed(name)) : generalHelp(GROUPS));

/** @param {string} name */
function commandNamed(name) {
  const command = findCommand(name);
  if (!command) throw new CommandError(`Unknown command "${name}"; --help lists the commands`, 2);
  return command;
}

/**
 * @param {string[]} positionals the name of the command and its arguments
 * @param {import('./options.js').Values} values
 */
async function runCommand([name = '', ...rest], values) {
  if (!name) throw new CommandError('No command given.', 2, 'no command');
  if (programs.some((program) => program.name === name)) {
    throw new CommandError(`${name} must be the first argument; see ${name} --help for its options`, 2);
  }
  const command = commandNamed(name);
  const extra = rest[command.argument ? 1 : 0];
  if (extra !== undefined)
    throw new CommandError(`Unexpected argument "${extra}" after ${name}; see ${name} --help`, 2);
  const allowed = /** @type {readonly string[]} */ (command.options);
  const foreign = Object.keys(values).find((option) => !allowed.includes(option));
  if (foreign) throw new CommandError(`--${foreign} is not an option of ${name}; see ${name} --help`, 2);
  const { json = false, output = '' } = values;
  if (!['', 'wide', 'json'].includes(output)) throw new CommandError('--output must be wide or json', 2);
  const env = withEnvFiles(values['env-file'] ?? [], process.env);
  const exitCode = runAgainIfNeeded(env);
  if (exitCode !== undefined) return exitCode;
  addSecretsOf(env);
  return command.run({
    name,
    values,
    env,
    json: json || output === 'json',
    colour: hasColour(process.stdout, process.env),
    ...(rest[0] !== undefined && { argument: rest[0] }),
  });
}

/**
 * @param {string[]} args
 * @param {string} name of the command
 * @param {InstanceType<typeof CommandError>} error
 */
function printErrorAsJson(args, name, { message, code }) {
  const error = { error: message, ...(code && { code }) };
  // A watch prints one JSON value per line.
  if (name === 'watch' || args.includes('--watch') || args.includes('-w')) printJson(error, 0);
  else printJson({ ...(name === 'check' && { healthy: false }), ...error });
}

module.exports = { main };
