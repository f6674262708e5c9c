'use strict';

const { setTimeout: sleep } = require('node:timers/promises');
const { parseArgs } = require('node:util');
const { Cluster } = require('./demo/cluster.js');
const { openScreen, seconds } = require('./demo/screen.js');

const HELP = `npx clustershazbot demo [--keep]

Starts five servers on this machine, each a process of its own, and shows which servers each of them
lists. Kills one and starts it again, drains one and takes it back, and says how long each took until all knew.

  --keep   go on running afterwards, until Ctrl-C
  --help   show this

Exit code: 0 when every step came about in time, 1 when one did not, 130 when interrupted before the end.
Colour is off where NO_COLOR is set or the output is no terminal.
`;

const COUNT = 5;
const INTERVAL = 0.5;
const STEP_MS = 30_000;
const HOLD_MS = 1500;
const CHECK_MS = 20;

/** @typedef {import('./demo/cluster.js').Server} Server */

/**
 * @typedef {object} Aim
 * @property {number[]} [offline] the servers that all shall list offline; all others shall be listed online
 * @property {boolean} [stopped] whether those are not running
 * @property {number} [holdMs] how long it must stay so, where that is the whole aim of the step
 * @property {() => unknown} [act]
 *
 * @typedef {import('./demo/screen.js').Step & Aim} Step
 */

/** A sentence for the user, where a stack would tell nothing more. */
class Failure extends Error {}

const cluster = new Cluster(INTERVAL);
const server = (/** @type {number} */ number) => cluster.servers[number - 1];

/** @type {Step[]} */
const steps = [
  {
    name: 'start 1 to 5',
    goal: 'each server lists all five online',
    act: () => cluster.servers.forEach((server) => void cluster.start(server)),
  },
  {
    // A server may refuse connections for its first 60 s, as long as it has never answered the one that asks: a kill
    // would go unnoticed for as long by a server that has not probed this one yet.
    name: 'run on',
    goal: 'ten intervals without a change',
    holdMs: 10 * INTERVAL * 1000,
  },
  {
    name: 'kill 3',
    goal: 'the four others list it offline',
    offline: [3],
    stopped: true,
    act: () => cluster.kill(server(3)),
  },
  { name: 'start 3 again', goal: 'each server lists all five online', act: () => cluster.start(server(3)) },
  { name: 'drain 2', goal: 'all five list it offline', offline: [2], act: () => cluster.control(server(2), false) },
  { name: 'undrain 2', goal: 'each server lists all five online', act: () => cluster.control(server(2), true) },
];

/** @param {{ keep: boolean }} options */
async function main({ keep }) {
  await cluster.prepare(COUNT);
  const state = {
    title: `clustershazbot: five servers, gossip every ${INTERVAL} s`,
    servers: cluster.servers,
    steps,
    notes: /** @type {string[]} */ ([]),
  };
  const screen = openScreen(state);
  cluster.onChange = () => screen.update();

  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    cluster.onChange = () => {};
    screen.end();
  };
  const finished = () => steps.every(({ outcome }) => outcome === 'done');
  for (const [signal, code] of /** @type {const} */ ([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])) {
    process.on(signal, () => process.exit(finished() ? 0 : code));
  }
  process.on('exit', () => {
    end();
    cluster.abandon();
  });

  for (const step of steps) await take(step, screen);
  if (keep) {
    state.notes.push(
      '',
      'Running until Ctrl-C. Kill one by its pid and watch, or look at the page of one, or ask one:',
      `${server(1).baseUrl}clustershazbot/   control secret: ${cluster.controlSecret}`,
      `curl -H 'Authorization: ${cluster.controlSecret}' ${server(1).baseUrl}clustershazbot/list`,
    );
    screen.note();
    return;
  }
  end();
  await cluster.close();
  console.log('\nEvery step came about. The servers are stopped, their files removed.');
}

/**
 * Does what the step does, and waits until all know.
 *
 * @param {Step} step
 * @param {import('./demo/screen.js').Screen} screen
 */
async function take(step, screen) {
  const began = performance.now();
  const elapsed = () => performance.now() - began;
  step.began = began;
  screen.step(step);
  try {
    await step.act?.();
    for (let wrong = firstWrong(step); wrong; wrong = firstWrong(step)) {
      if (elapsed() > STEP_MS) {
        throw new Failure(`"${step.name}" did not come about within ${seconds(STEP_MS)}: ${wrong}.`);
      }
      await sleep(CHECK_MS);
    }
    const took = elapsed();
    // Shows the table for a moment, and that what all know stays so.
    const until = performance.now() + (step.holdMs ?? HOLD_MS);
    if (!step.holdMs) finish(step, 'done', took, screen);
    while (performance.now() < until) {
      const wrong = firstWrong(step);
      if (wrong) throw new Failure(`"${step.name}" came about, but did not last: ${wrong}.`);
      await sleep(CHECK_MS);
    }
    if (step.holdMs) finish(step, 'done', elapsed(), screen);
  } catch (error) {
    finish(step, 'failed', elapsed(), screen);
    throw error;
  }
}

/**
 * @param {Step} step
 * @param {'done' | 'failed'} outcome
 * @param {number} took
 * @param {import('./demo/screen.js').Screen} screen
 */
function finish(step, outcome, took, screen) {
  step.outcome = outcome;
  step.took = took;
  screen.step(step);
}

/**
 * The first thing that is not as the step wants it, in words.
 *
 * @param {Step} step
 */
function firstWrong({ offline = [], stopped = false }) {
  for (const viewer of cluster.servers) {
    if (stopped && offline.includes(viewer.number)) {
      if (viewer.child) return `server ${viewer.number} still runs`;
      continue;
    }
    if (!viewer.child) throw new Failure(`Server ${viewer.number} ended by itself. ${viewer.complaint}`.trimEnd());
    if (!viewer.view) return `server ${viewer.number} does not answer`;
    for (const { number } of cluster.servers) {
      const expected = offline.includes(number) ? 'offline' : 'online';
      const opinion = viewer.view[number - 1];
      if (opinion !== expected) {
        if (opinion === 'unknown') return `server ${viewer.number} does not list server ${number} at all`;
        return `server ${viewer.number} lists server ${number} ${opinion}, not ${expected}`;
      }
    }
  }
}

/** @param {string[]} args */
function options(args) {
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
  const { keep = false, help = false } = options(args);
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  try {
    await main({ keep });
    return 0;
  } catch (error) {
    process.exitCode = 1;
    process.on('exit', () => console.error(error instanceof Failure ? error.message : error));
    process.exit();
  }
}

module.exports = { demo };
