'use strict';

// The `explain` command: what each server says of one member, and what follows from that.

const { printable } = require('../../printable.js');
const { CommandError } = require('../command-error.js');
const { conclusion } = require('../conclusion.js');
const { reasonOf, stateOf, viewReader } = require('../members.js');
const { print, printJson } = require('../output.js');
const { mayHaveSecret, parseBaseUrl, serverOf, serverOptions } = require('../server-options.js');
const { MAX_ASKED, survey } = require('../survey.js');
const { formatDuration, formatOffset, formatTable, terminalWidth } = require('../terminal.js');

/** @typedef {import('../survey.js').Asked} Asked */
/** @typedef {import('../members.js').Member} Member */

/** @type {import('../commands.js').Command} */
const explain = {
  name: 'explain',
  aliases: [],
  usage: 'explain URL',
  summary: 'one member: what each server says of it, and what that means',
  description: `Asks the servers of the cluster, at most ${MAX_ASKED}, what they know of the member at URL: since when it is in which state, why, who
found that, the last failed exchange with it, and its version. Asks the member itself, too. Then says in one sentence what
that means.

  CLOCK    how far the clock of the server that was asked is ahead of (+) or behind (-) the clock here

Without the control secret a server tells only whether it lists the member online. The secret goes to the server at --url, and to
the others with --ask-all or with SHAZBOT_ALLOWED_ORIGINS in the environment: anyone with the gossip secret can invent a member.`,
  options: ['url', 'ask', 'ask-all', 'secret-file', 'env-file', 'timeout', 'json'],
  argument: true,
  exits: '0, also for a member that has failed; 1 if no server answers or the secret is rejected; 2 for wrong usage.',
  example: 'npx clustershazbot explain http://app-3.internal:3000/',
  run,
};

/** @param {import('../commands.js').Invocation} invocation */
async function run(invocation) {
  const { argument, json, colour } = invocation;
  const target = parseBaseUrl(argument ?? '');
  if (!target) throw new CommandError('explain needs the base URL of a member, such as http://app-3:3000/', 2);
  const { trusted, others, secret, timeout } = await serversToAsk(invocation, target);
  const [told, listed, [direct]] = await Promise.all([
    survey(trusted, { secret, timeout }),
    survey(others, { secret: mayHaveSecret(invocation) ? secret : '', timeout }),
    // The member gets the secret only as one of the servers to ask.
    survey([target], { secret: '', timeout, gossip: true }),
  ]);
  const views = [...told, ...listed].map((it) => viewOf(it, target.href));
  const text = conclusion(target, views, /** @type {Asked} */ (direct));
  const count = views.filter(({ at }) => at !== undefined).length;
  if (json) printJson({ baseUrl: target.href, asked: views.map(asJson), direct: directJson(direct), conclusion: text });
  else {
    const table = viewTable(views, target.href, { colour, width: terminalWidth(), flexible: [3, 4] });
    print(
      [
        `${target.href}, as ${count} of ${views.length} servers that were asked see it`,
        '',
        ...table,
        '',
        printable(text),
      ].join('\n'),
    );
  }
  return count > 0 ? 0 : 1;
}

/**
 * @param {import('../commands.js').Invocation} invocation
 * @param {URL} target
 * @returns {Promise<{ trusted: URL[], others: URL[], secret: string, timeout: number }>} others: those that only a list names
 */
async function serversToAsk({ values, env }, target) {
  const { ask } = values;
  if (ask) {
    const { secret, timeout } = serverOptions({ ...values, url: ask[0] }, env);
    const urls = ask.map((text) => parseBaseUrl(text));
    const wrong = urls.indexOf(undefined);
    if (wrong >= 0) throw new CommandError(`--ask must be a base URL, not "${ask[wrong]}"`, 2);
    return { trusted: /** @type {URL[]} */ (urls), others: [], secret, timeout };
  }
  const server = await serverOf({ values, env });
  const { members } = await viewReader(server, false)();
  const listed = members
    .filter((member) => stateOf(member) !== 'left')
    .flatMap(({ baseUrl }) => parseBaseUrl(baseUrl) ?? []);
  // From https nothing secret goes to http.
  const allowed = listed.filter(({ protocol }) => protocol === 'https:' || server.base.protocol === 'http:');
  const others = allowed.filter(({ href }) => ![server.base.href, server.listedAs, target.href].includes(href));
  const isListed = allowed.some(({ href }) => href === target.href && href !== server.base.href);
  const named = [...others.slice(0, MAX_ASKED - 2), ...(isListed ? [target] : [])];
  return { trusted: [server.base], others: named, secret: server.secret, timeout: server.timeout };
}

/**
 * @typedef {object} View what one server says of the member
 * @property {Asked} asked
 * @property {string} baseUrl of that server
 * @property {number} [at] when it answered, by its clock; missing if it did not answer
 * @property {Member} [member] missing if it does not list the member
 */

/**
 * @param {Asked} asked
 * @param {string} target
 * @returns {View}
 */
function viewOf(asked, target) {
  const { url, status, list } = asked;
  const find = (/** @type {any[]} */ members) =>
    members.find((it) => parseBaseUrl(String(it?.baseUrl))?.href === target);
  if (status) {
    const member = find(status.members);
    return { asked, baseUrl: url.href, at: status.at, ...(member && { member }) };
  }
  if (!list) return { asked, baseUrl: url.href };
  const online = find(list.online);
  return { asked, baseUrl: url.href, at: Date.now(), ...(online && { member: { baseUrl: target, state: 'online' } }) };
}

/**
 * @param {View[]} views
 * @param {string} target
 * @param {import('../terminal.js').Format} format
 */
function viewTable(views, target, format) {
  const heads = ['SERVER', 'STATE', 'FOR', 'WHY', 'FOUND BY', 'ANSWERED', 'LAST ERROR', 'CLOCK', 'VERSION'];
  const rows = views.map((view) => cells(view, target).map((text) => printable(text)));
  const isUsed = heads.map((_, i) => i < 2 || rows.some((row) => row[i] !== ''));
  const lines = [heads, ...rows].map((row, line) =>
    row
      .filter((_, i) => isUsed[i])
      .map((text) => /** @type {import('../terminal.js').Cell} */ ([text, line === 0 ? 'dim' : undefined])),
  );
  return formatTable(lines, format);
}

/**
 * @param {View} view
 * @param {string} target
 * @returns {string[]}
 */
function cells({ asked, baseUrl, at, member }, target) {
  const name = baseUrl === target ? `${baseUrl} (itself)` : baseUrl;
  if (at === undefined) return [name, 'no answer', '', problemText(asked), '', '', '', '', ''];
  const clock = formatOffset(asked.clockAhead);
  if (!member) return [name, asked.status ? 'not listed' : 'not online', '', '', '', '', '', clock, ''];
  const { changedAt, by = '', answered, lastError, version = '' } = member;
  const ago = (/** @type {number | undefined} */ time) => (time ? `${formatDuration(at - time)} ago` : '');
  return [
    name,
    stateOf(member),
    changedAt ? formatDuration(at - changedAt) : '',
    reasonOf(member, asked.status?.baseUrl),
    by,
    ago(answered),
    lastError ? `${lastError.code} ${ago(lastError.at)}` : '',
    clock,
    version,
  ];
}

/** @param {Asked} asked */
function problemText({ problem, wrongSecret }) {
  if (problem) return problem.text;
  return wrongSecret ? 'the control secret does not match there' : 'the list needs a secret there';
}

/** @param {View} view */
function asJson({ asked, baseUrl, at, member }) {
  const { problem, clockAhead, status } = asked;
  return {
    baseUrl,
    ...(problem && { error: problem.text, code: problem.code }),
    ...(at !== undefined && { at, clockAhead: Number.isNaN(clockAhead) ? null : Math.round(clockAhead) }),
    ...(status && { version: status.version }),
    member: member ?? null,
  };
}

/** @param {Asked | undefined} direct */
function directJson(direct) {
  const problem = direct?.problem;
  return { answers: direct?.answers ?? false, ...(problem && { error: problem.text, code: problem.code }) };
}

module.exports = { explain };
