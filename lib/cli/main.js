'use strict';

const { parseArgs } = require('node:util');
const { version } = require('../../package.json');
const { doctor } = require('./doctor.js');
const { Refusal, ask, serverOf } = require('./server.js');
const { hasColour, plain, rowsOfList, rowsOfStatus, span, table } = require('./show.js');
const { watch } = require('./watch.js');

const HELP = `clustershazbot COMMAND [options]

Asks a server of a cluster, by its routes, and drains it.

  list      the servers, online and offline
  status    how that server sees itself and the others (ready-made routes)
  watch     the same, live
  online    takes a drained server back
  offline   drains the server: all list it offline, and it goes on running
  check     for health checks: does its engine work, and are enough servers online?
  doctor    looks at the environment, the master list, the server's own URL and its clock
  demo      five servers on this machine: one is killed, one is drained

  --url URL           the server; default: SHAZBOT_BASE_URL
  --secret-file FILE  file with the control secret; default: SHAZBOT_CONTROL_SECRET_FILE, else SHAZBOT_CONTROL_SECRET
  --timeout SECONDS   for each answer; default 5
  --json              for programs
  --min-online N      of check: how many must be online by its list; default 1. A drained server is healthy
  --help, --version

Colour is off where NO_COLOR is set or the output is no terminal, and on where FORCE_COLOR is set.
Exit code: 0 fine; 1 no, or it could not be done; 2 wrong use.

  npx clustershazbot list --url http://app-1.internal:3000/
  SHAZBOT_CONTROL_SECRET_FILE=/run/secrets/control npx clustershazbot offline
  node node_modules/clustershazbot/bin/clustershazbot.js check --min-online 2     # HEALTHCHECK of a container
`;

const options = /** @type {const} */ ({
  url: { type: 'string' },
  'secret-file': { type: 'string' },
  timeout: { type: 'string' },
  'min-online': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
});

/** @typedef {import('./server.js').Server} Server */
/** @typedef {{ server: Server, json: boolean, colour: boolean, minOnline: number }} Context */

/** @type {Record<string, (context: Context) => Promise<number>>} */
const commands = { list, status, watch, online: (it) => control(it, true), offline: (it) => control(it, false), check };

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit code
 */
async function main(args) {
  // It has options of its own.
  if (args[0] === 'demo') return require('./demo.js').demo(args.slice(1));
  let name = '';
  try {
    const { values, positionals } = parse(args);
    const [first = '', ...more] = positionals;
    name = first;
    if (values.help || name === 'help') return say(HELP);
    if (values.version) return say(`${version}\n`);
    if (!name) throw new Refusal(`Which command?\n\n${HELP}`, 2);
    const json = values.json ?? false;
    const colour = hasColour(process.stdout, process.env);
    if (more.length > 0) throw new Refusal(`${name} takes no "${more[0]}"; --help says what it takes`, 2);
    if (name === 'demo') throw new Refusal('demo is the first word, with options of its own: demo --help', 2);
    if (name === 'doctor') return await doctor({ env: process.env, options: values, json, colour });
    if (!Object.hasOwn(commands, name)) throw new Refusal(`There is no command "${name}"; --help lists them`, 2);
    const minOnline = values['min-online'] ?? '1';
    if (!/^\d+$/.test(minOnline)) throw new Refusal('--min-online must be a whole number', 2);
    const server = serverOf(values, process.env);
    return await /** @type {(context: Context) => Promise<number>} */ (commands[name])({
      server,
      json,
      colour,
      minOnline: Number(minOnline),
    });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message } = error;
    if (args.includes('--json')) {
      const failed = { ...(name === 'check' && { healthy: false }), error: message };
      // Of `watch` each line is a value.
      if (name === 'watch') say(`${JSON.stringify(failed)}\n`);
      else asJson(failed);
    }
    console.error(message.split('\n').map(plain).join('\n'));
    return code;
  }
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new Refusal(`${/** @type {Error} */ (error).message}; --help lists the options`, 2);
  }
}

/** @param {string} text */
function say(text) {
  process.stdout.write(text);
  return 0;
}

/** @param {unknown} value */
const asJson = (value) => say(`${JSON.stringify(value, null, 2)}\n`);

/** @param {Context} context */
async function list({ server, json, colour }) {
  const lists = await ask(server, 'list');
  if (json) return asJson(lists);
  say(`${table(rowsOfList(lists), { colour }).join('\n')}\n`);
  if (!lists.offline) {
    const is = server.secret ? 'is not that of this server' : 'is not set';
    console.error(`The offline servers are shown for the control secret: ${server.secretFrom} ${is}.`);
  }
  return 0;
}

/** @param {Context} context */
async function status({ server, json, colour }) {
  /** @type {import('../../index.js').ShazbotStatus} */
  const it = await ask(server, 'status');
  if (json) return asJson(it);
  const { out } = it.exchanges;
  const failed = out.refused + out.timedOut + out.unreachable + out.rejected + out.failed;
  const lines = [
    `${it.baseUrl} is ${it.state}${it.monitor ? ', a monitor' : ''}; version ${it.version}, up for ${span(it.at - it.startedAt)}`,
    `exchanges: ${out.answered} answered, ${failed} tries failed; last begun ${it.lastOut ? `${span(it.at - it.lastOut.at)} ago` : 'never'}, last taken ${it.lastIn ? `${span(it.at - it.lastIn.at)} ago` : 'never'}`,
    ...it.masterLists.map((of) => {
      const read = of.read ? `read ${span(it.at - of.read)} ago, ${of.servers} servers` : 'never read';
      return `master list ${of.name}: ${read}${of.error ? `; ${of.failures} failures: ${of.error}` : ''}`;
    }),
  ];
  return say(`${lines.map(plain).join('\n')}\n\n${table(rowsOfStatus(it), { colour }).join('\n')}\n`);
}

/**
 * @param {Context} context
 * @param {boolean} online
 */
async function control({ server, json }, online) {
  await ask(server, 'control', { message: 'control', online });
  const done = { baseUrl: server.base.href, online };
  return json
    ? asJson(done)
    : say(`${server.base} is ${online ? 'taken back' : 'drained: it stays offline until "online", or a start'}\n`);
}

/** @param {Context} context */
async function check({ server, json, minOnline }) {
  /** @type {import('../../index.js').ServerList} */
  const lists = await ask(server, 'list');
  const online = lists.online.length;
  const isListed = lists.online.some(({ baseUrl }) => baseUrl === server.listed);
  const healthy = online >= minOnline;
  if (json) asJson({ healthy, online, minOnline, listsItself: isListed });
  else
    say(
      `${healthy ? 'healthy' : 'not healthy'}: ${online} online, ${minOnline} wanted${isListed ? '' : '; that server is drained, or has another base URL'}\n`,
    );
  return healthy ? 0 : 1;
}

module.exports = { main };
