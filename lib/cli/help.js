'use strict';

// The help texts: of all commands together, and of each command.

const { OPTIONS } = require('./options.js');
const { IN_CODE } = require('./server-options.js');

/** @typedef {import('./commands.js').Command} Command */

const NOTES = `${IN_CODE}.
The control secret is never an argument: others on the machine can read command lines.
NO_COLOR turns colours off, FORCE_COLOR turns them on. Without either they are on if the output is a terminal.`;

/**
 * @param {{ title: string, commands: readonly { usage: string, summary: string }[] }[]} groups
 * @returns {string}
 */
function generalHelp(groups) {
  const width = Math.max(...groups.flatMap(({ commands }) => commands.map(({ usage }) => usage.length)));
  const lines = groups.flatMap(({ title, commands }) => [
    `${title}:`,
    ...commands.map(({ usage, summary }) => `  ${usage.padEnd(width)}  ${summary}`),
    '',
  ]);
  return `clustershazbot COMMAND [options]

Shows the servers of a cluster, drains a server and finds configuration errors.

${lines.join('\n')}
Options of all commands that ask a server:
${optionLines(['url', 'secret-file', 'env-file', 'timeout', 'json'])}

  clustershazbot help COMMAND    usage, options, exit codes and an example of one command
  clustershazbot --version

${NOTES}
Exit code: 0 success; 1 failure, or a negative answer of check or doctor; 2 wrong usage.

  npx clustershazbot members --url http://app-1.internal:3000/
  npx clustershazbot explain http://app-3.internal:3000/
  npx clustershazbot doctor --env-file .env
`;
}

/**
 * @param {Command} command
 * @returns {string}
 */
function commandHelp({ usage, aliases, description, options, exits, example }) {
  const alias = aliases.length > 0 ? `\nAlso: ${aliases.join(', ')}\n` : '';
  return `clustershazbot ${usage} [options]
${alias}
${description}

Options:
${optionLines([...options, 'help'])}

Exit code: ${exits}

Example:
  ${example}
`;
}

/** @param {readonly import('./options.js').OptionName[]} names */
function optionLines(names) {
  const lines = names.map((name) => {
    /** @type {{ short?: string, argument?: string, text: string }} */
    const { short, argument, text } = OPTIONS[name];
    return { left: `${short ? `-${short}, ` : ''}--${name}${argument ? ` ${argument}` : ''}`, text: text.split('\n') };
  });
  const width = Math.max(...lines.map(({ left }) => left.length));
  return lines
    .flatMap(({ left, text }) => text.map((line, i) => `  ${(i === 0 ? left : '').padEnd(width)}  ${line}`))
    .join('\n');
}

module.exports = { commandHelp, generalHelp };
