'use strict';

// The options of the commands, and how the arguments are parsed.

const { parseArgs } = require('node:util');
const { CommandError } = require('./command-error.js');

/**
 * `argument` and `text` are for the help. In the text of an option a line break begins a new line of the help.
 */
const OPTIONS = /** @type {const} */ ({
  url: { type: 'string', argument: 'URL', text: 'the server to ask; default: SHAZBOT_BASE_URL' },
  'secret-file': {
    type: 'string',
    argument: 'FILE',
    text: 'file with the control secret; default: SHAZBOT_CONTROL_SECRET_FILE,\nthen SHAZBOT_CONTROL_SECRET',
  },
  'env-file': {
    type: 'string',
    multiple: true,
    argument: 'FILE',
    text: 'reads variables from this file, as node --env-file does;\ncan be repeated: the last file wins, the environment wins over all files',
  },
  timeout: { type: 'string', argument: 'SECONDS', text: 'how long to wait for each answer; default 5' },
  ask: {
    type: 'string',
    multiple: true,
    argument: 'URL',
    text: 'asks only this server; can be repeated.\nDefault: the server at --url and those that it lists',
  },
  'ask-all': {
    type: 'boolean',
    text: 'sends the control secret to all members, to learn what each knows.\nDefault: only if SHAZBOT_ALLOWED_ORIGINS says where members may be',
  },
  state: {
    type: 'string',
    multiple: true,
    argument: 'STATES',
    text: 'only servers in these states, with commas between:\nonline, suspect, drained, failed, left, offline',
  },
  where: {
    type: 'string',
    multiple: true,
    argument: 'KEY=VALUE',
    text: 'only servers with this tag; several with commas between.\nA key that is given twice matches either value',
  },
  tags: {
    type: 'string',
    multiple: true,
    argument: 'KEYS',
    text: 'shows these tags instead of the version, with commas between',
  },
  sort: {
    type: 'string',
    argument: 'COLUMN',
    text: 'name, state, for, why, version or seen; default: state, then name',
  },
  all: { type: 'boolean', text: 'also shows the servers that left in order' },
  output: { type: 'string', short: 'o', argument: 'FORMAT', text: 'wide: more columns; json: the same as --json' },
  watch: { type: 'boolean', short: 'w', text: 'updates the table until Ctrl-C' },
  'min-online': { type: 'string', argument: 'N', text: 'how many servers must be listed online; default 1' },
  count: {
    type: 'string',
    argument: 'N',
    text: 'how many owners are printed, the next ones after the owner; default 1',
  },
  key: { type: 'string', argument: 'KEY', text: 'the same server for the same key: its owner' },
  json: { type: 'boolean', text: 'prints JSON' },
  help: { type: 'boolean', short: 'h', text: 'shows this help' },
  version: { type: 'boolean', text: 'prints the version of this package' },
});

/** @typedef {keyof typeof OPTIONS} OptionName */
/** @typedef {ReturnType<typeof parseArguments>['values']} Values */

/**
 * Parses the options of all commands: the name of the command may come after them.
 * @param {string[]} args
 */
function parseArguments(args) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new CommandError(`${message.replaceAll('\n', ' ')}; --help lists the options`, 2);
  }
}

module.exports = { OPTIONS, parseArguments };
