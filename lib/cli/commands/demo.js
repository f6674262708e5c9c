'use strict';

// The `demo` command: runs a cluster on this machine, kills one of its servers and drains another one.

const { parseArgs } = require('node:util');
const { CommandError } = require('../command-error.js');
const { Cluster } = require('../demo/cluster.js');
const { chooseJob } = require('../demo/job.js');
const { openScreen } = require('../demo/screen.js');
const { demoSteps, runStep } = require('../demo/steps.js');

const HELP = `npx clustershazbot demo [--keep]

Starts five servers on this machine, each in its own process, and shows how each of them lists the others and which
one owns a job. Kills that server and restarts it, drains another one and puts it back online, and prints how long it
took until all servers knew. Prints the address of the page and how to log in.

  --keep   keep running afterwards, until Ctrl-C
  --help   show this help

Exit code: 0 if every step succeeded in time, 1 if one did not, 130 if interrupted before the end.
NO_COLOR turns colours off; they are on only if the output is a terminal.
`;

const COUNT = 5;
const INTERVAL = 0.5;

/** @param {{ keep: boolean }} options */
async function runDemo({ keep }) {
  const cluster = new Cluster(INTERVAL);
  const steps = demoSteps(cluster, INTERVAL);
  await cluster.prepare(COUNT);
  const state = {
    title: `clustershazbot: five servers, gossip every ${INTERVAL} s`,
    page: `page: ${cluster.servers[0]?.baseUrl}clustershazbot/  secret: ${cluster.controlSecret}`,
    // The demo kills this server.
    job: chooseJob(cluster.servers, cluster.servers[2]),
    servers: cluster.servers,
    steps,
    notes: /** @type {string[]} */ ([]),
  };
  const screen = openScreen(state);
  cluster.onChange = () => screen.update();
  const closeScreen = once(() => {
    cluster.onChange = () => {};
    screen.end();
  });
  exitOnSignals(() => steps.every(({ outcome }) => outcome === 'done'));
  process.on('exit', () => {
    closeScreen();
    cluster.killAll();
  });

  for (const step of steps) await runStep(step, cluster, screen);
  if (keep) {
    state.notes.push(...keepNotes(cluster));
    screen.note();
    return;
  }
  closeScreen();
  await cluster.close();
  console.log('\nAll steps succeeded. The servers are stopped and their files removed. With --keep they keep running.');
}

/** @param {InstanceType<typeof Cluster>} cluster */
function keepNotes({ servers, controlSecret }) {
  const url = `${servers[0]?.baseUrl}clustershazbot/list`;
  return [
    '',
    'Running until Ctrl-C. Kill a server by its pid and watch, open the page, or ask a server for its list:',
    `curl -H 'Authorization: ${controlSecret}' ${url}`,
  ];
}

/** @param {() => boolean} isFinished */
function exitOnSignals(isFinished) {
  const codes = /** @type {const} */ ({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 });
  for (const [signal, code] of Object.entries(codes)) process.on(signal, () => process.exit(isFinished() ? 0 : code));
}

/** @param {() => void} callback */
function once(callback) {
  let isCalled = false;
  return () => {
    if (!isCalled) callback();
    isCalled = true;
  };
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({ args, options: { keep: { type: 'boolean' }, help: { type: 'boolean' } } }).values;
  } catch (error) {
    console.error(`${/** @type {Error} */ (error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit code
 */
async function demo(args) {
  const { keep = false, help = false } = parse(args);
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  try {
    await runDemo({ keep });
    return 0;
  } catch (error) {
    process.exitCode = 1;
    // After the last frame of the screen.
    process.on('exit', () => console.error(error instanceof CommandError ? error.message : error));
    process.exit();
  }
}

module.exports = { demo };
