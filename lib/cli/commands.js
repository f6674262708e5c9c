'use strict';

// The table of all commands: by it the arguments are checked, the help is written and the command is found.

const { check } = require('./commands/check.js');
const { doctor } = require('./commands/doctor.js');
const { drain, undrain } = require('./commands/drain.js');
const { explain } = require('./commands/explain.js');
const { list } = require('./commands/list.js');
const { members } = require('./commands/members.js');
const { owner, pick } = require('./commands/owner.js');
const { status } = require('./commands/status.js');
const { watch } = require('./commands/watch.js');
const { programs } = require('./programs.js');

/**
 * @typedef {object} Invocation
 * @property {string} name as it was given, which may be an alias
 * @property {import('./options.js').Values} values of the options
 * @property {NodeJS.ProcessEnv} env with the files of --env-file
 * @property {boolean} json
 * @property {boolean} colour
 * @property {string} [argument] after the name
 *
 * @typedef {object} Command
 * @property {string} name
 * @property {readonly string[]} aliases older names
 * @property {string} usage
 * @property {string} summary for the help of all commands
 * @property {string} description for its own help
 * @property {readonly import('./options.js').OptionName[]} options
 * @property {boolean} [argument] whether it takes one
 * @property {string} exits what its exit codes mean
 * @property {string} example
 * @property {(invocation: Invocation) => Promise<number>} run resolves with the exit code
 */

const GROUPS = [
  { title: 'Look at the cluster', commands: [members, status, explain, doctor, check, watch, list] },
  { title: 'Find the server for a key or a request', commands: [owner, pick] },
  { title: 'Take a server out', commands: [drain, undrain] },
  { title: 'Run something (each with options of its own)', commands: programs },
];

/** @type {Command[]} */
const COMMANDS = [members, status, explain, doctor, check, watch, list, owner, pick, drain, undrain];

/** @param {string} name */
const findCommand = (name) => COMMANDS.find((command) => command.name === name || command.aliases.includes(name));

module.exports = { GROUPS, findCommand };
