'use strict';

// How long it takes until all know, measured on real Express processes.

const { setTimeout: sleep } = require('node:timers/promises');

const { CONTROL_SECRET } = require('../__test__/support/cluster.js');
const { gossip, heldOf, message } = require('../__test__/support/gossip.js');
const { freePorts } = require('../__test__/support/ports.js');
const { until } = require('../__test__/support/until.js');
const { build } = require('./measure/build.js');
const { cleanUpAtExit, close } = require('./measure/scope.js');
const { progress, run } = require('./shared/command.js');
const { table } = require('./shared/table.js');
const { Cluster, LIMIT } = require('./measure-processes/cluster.js');

const HELP = `npm run measure:processes [-- --json --only 12|100 --repeat N]

Builds the addon, starts Express servers on this machine, each a process of its own, and measures how long it takes
until all know:
  12 servers, interval 2 s:    one killed, left, hung
  100 servers, interval 30 s:  one joins, leaves, is drained, is taken back, is called dead and denies it

  --json         print every time measured, in ms
  --only 12|100  one of the two clusters
  --repeat N     how often each is measured, instead of 9 and 20 times
  --help         show this

Takes minutes, and never more than 40; 100 servers want 3 GB of memory.
Exit code: 0 when everything was measured, whether or not it meets the targets; 1 when a cluster did not come to rest;
2 when an option is not understood.
`;

const HEAD = ['servers, interval', 'one', 'times', 'median', 'p99', 'target'];
/** After so long each server may tell as many rumours at once as ever, ms: PUSHES in src/protocol/mod.rs. */
const REFILL = 4_000;
/** After so long a row is not measured again, however often it was, ms. */
const BUDGET = 240_000;

/** @typedef {import('./measure-processes/cluster.js').Server} Server */
/**
 * @typedef {object} Row
 * @property {number} servers
 * @property {number} interval in s
 * @property {string} what
 * @property {string} target
 * @property {number[]} times in ms, in the order measured
 * @property {number} missed steps that took longer than the limit
 */

/** @type {Row[]} What has been measured so far. */
const rows = [];
/**
 * @param {string} what
 * @param {Pick<Row, 'servers' | 'interval' | 'target'>} of
 * @param {number} repeat
 * @param {(n: number) => Promise<number | undefined>} step one measurement, and what undoes it
 */
async function measure(what, of, repeat, step) {
  const row = addRow(what, of);
  const since = Date.now();
  for (let n = 0; n < repeat && Date.now() - since < BUDGET; n++) {
    progress(`${of.servers} servers, one ${what}: ${n + 1} of ${repeat}`);
    note(row, await step(n));
  }
}

/**
 * @param {string} what
 * @param {Pick<Row, 'servers' | 'interval' | 'target'>} of
 */
function addRow(what, of) {
  /** @type {Row} */
  const row = { ...of, what, times: [], missed: 0 };
  rows.push(row);
  return row;
}

/**
 * @param {Row} row
 * @param {number | undefined} ms
 */
function note(row, ms) {
  if (ms === undefined) row.missed += 1;
  else row.times.push(ms);
}

/** @template T @param {T[]} list @returns {T} */
const draw = (list) => /** @type {T} */ (list[Math.floor(Math.random() * list.length)]);

/** @param {number} [repeat] */
async function twelve(repeat = 9) {
  const interval = 2;
  const cluster = new Cluster(interval);
  await cluster.fill(12);
  for (const server of cluster.servers) {
    // A server that has never answered the one that asks is not called dead for refusing in its first minute.
    await until(async () => (await server.order('gossips')) >= 24, {
      timeout: LIMIT,
      every: 500,
      what: 'all have met',
    });
  }
  const of = (/** @type {string} */ target) => ({ servers: 12, interval, target });
  /** So that a fault falls at any moment of an interval. */
  const anyMoment = () => sleep(Math.random() * interval * 1000);

  /**
   * @param {Server} victim
   * @param {() => unknown} act
   * @param {() => unknown} undo
   */
  async function fault(victim, act, undo) {
    await anyMoment();
    const since = Date.now();
    act();
    const ms = await cluster.rest(cluster.others(victim), [victim], false, since);
    await undo();
    await cluster.restored(victim);
    return ms;
  }

  await measure('killed', of('median ≤ 1.5 s'), repeat, (n) => {
    // Each of them once: one that has just come back has not met the others.
    const victim = /** @type {Server} */ (cluster.servers[n % cluster.servers.length]);
    const undo = async () => {
      await victim.ended();
      cluster.forget(victim);
      await victim.restart();
    };
    return fault(victim, () => victim.signal('SIGKILL'), undo);
  });
  await measure('left', of('median ≤ 0.1 s'), repeat, () => {
    const victim = draw(cluster.servers);
    /** @type {Promise<unknown> | undefined} */
    let left;
    const act = () => {
      left = victim.order('shutDown');
    };
    const undo = async () => {
      await left;
      cluster.forget(victim);
      await victim.order('start');
    };
    return fault(victim, act, undo);
  });
  await measure('hung', of('median ≤ 10 s'), repeat, () => {
    const victim = draw(cluster.servers);
    return fault(
      victim,
      () => victim.signal('SIGSTOP'),
      () => victim.signal('SIGCONT'),
    );
  });
}

/** @param {number} [repeat] */
async function hundred(repeat = 20) {
  const interval = 30;
  const cluster = new Cluster(interval);
  await cluster.fill(100);
  const { servers } = cluster;
  const of = { servers: 100, interval, target: 'p99 ≤ 1 s' };
  /** @type {Server | undefined} */
  let guest;
  /** @type {Server} */
  let drained;

  const joined = async () => {
    const [port] = await freePorts(1);
    // Its process is there already: how long Node takes to start is not what is asked.
    const one = await cluster.start(/** @type {number} */ (port), { TEST_START: 'no' });
    guest = one;
    const since = Date.now();
    const start = one.order('start');
    const listed = await cluster.rest(servers, [one], true, since);
    const lists = await cluster.rest([one], servers, true, since);
    await start;
    return listed === undefined || lists === undefined ? undefined : Math.max(listed, lists);
  };
  const left = async () => {
    const one = /** @type {Server} */ (guest);
    const since = Date.now();
    const leave = one.order('shutDown');
    const ms = await cluster.rest(servers, [one], false, since);
    await leave;
    await one.kill();
    return ms;
  };
  const setOnline = async (/** @type {boolean} */ online) => {
    const since = Date.now();
    drained.order('call', 'shazbotControlRequest', CONTROL_SECRET, { message: 'control', online });
    return cluster.rest(cluster.others(drained), [drained], online, since);
  };
  const denied = async (/** @type {number} */ n) => {
    // Each of them once: news of one whose state stays the same is told on once an interval.
    const dead = /** @type {Server} */ (servers[n % servers.length]);
    const told = draw(cluster.others(dead));
    // A death and its denial are two rumours for each server, which may tell eight messages at once and two a second.
    await sleep(REFILL);
    const author = draw(cluster.others(dead).filter((server) => server !== told));
    const [it, by] = await Promise.all([dead, author].map(({ baseUrl }) => heldOf(told.baseUrl, baseUrl)));
    const since = Date.now();
    // As one of ours tells it: a death that a server of version 1 declares is looked into before it is listed.
    const own = `so${since}>${author.baseUrl}>${by?.online?.shazbot}`;
    const death = `ex${since}>${dead.baseUrl}>${it?.online?.shazbot}.f.${author.baseUrl}`;
    await gossip(told.baseUrl, { ...message(), shazbot: `2 ${own} ${death}` });
    return cluster.rest(cluster.others(dead), [dead], true, since);
  };

  await measurePair(['joins', 'leaves'], of, repeat, joined, left);
  const drain = () => {
    drained = draw(servers);
    return setOnline(false);
  };
  await measurePair(['is drained', 'is taken back'], of, repeat, drain, () => setOnline(true));
  await measure('denies its death', of, repeat, denied);
}

/**
 * Two rows, of which the second undoes what the first has done.
 *
 * @param {[string, string]} what
 * @param {Pick<Row, 'servers' | 'interval' | 'target'>} of
 * @param {number} repeat
 * @param {() => Promise<number | undefined>} act
 * @param {() => Promise<number | undefined>} undo
 */
async function measurePair([what, back], of, repeat, act, undo) {
  const undone = () => rows.find((row) => row.what === back) ?? addRow(back, of);
  await measure(what, of, repeat, async () => {
    const ms = await act();
    note(undone(), await undo());
    return ms;
  });
}

/** @param {Row} row */
function line({ servers, interval, what, times, missed, target }) {
  const sorted = [...times, ...Array.from({ length: missed }, () => Number.POSITIVE_INFINITY)].sort((a, b) => a - b);
  const shown = (/** @type {number | undefined} */ ms) => {
    if (ms === undefined) return '–';
    return Number.isFinite(ms) ? `${(ms / 1000).toFixed(2)} s` : `> ${LIMIT / 1000} s`;
  };
  return [
    `${servers}, ${interval} s`,
    what,
    String(sorted.length),
    shown(sorted[Math.ceil(sorted.length / 2) - 1]),
    // Of fewer than a hundred repetitions the greatest is the 99th percentile.
    shown(sorted[Math.ceil(sorted.length * 0.99) - 1]),
    target,
  ];
}

/** @param {{ json: boolean, only?: string, repeat?: number }} options */
async function main({ json, only, repeat }) {
  build();
  cleanUpAtExit();
  process.on('exit', () => {
    progress('');
    if (json) console.log(JSON.stringify(rows, undefined, 2));
    else if (rows.length > 0) console.log(table([HEAD, ...rows.map(line)]));
  });
  try {
    for (const [name, measureAll] of /** @type {const} */ ([
      ['12', twelve],
      ['100', hundred],
    ])) {
      if (only !== undefined && only !== name) continue;
      await measureAll(repeat);
      await close();
    }
  } finally {
    await close();
  }
}

/** @param {{ json?: boolean, only?: string, repeat?: string }} values */
function read({ json = false, only, repeat }) {
  if (only !== undefined && !['12', '100'].includes(only)) throw new Error('--only takes 12 or 100');
  if (repeat !== undefined && !(Number(repeat) >= 1)) throw new Error('--repeat takes a number');
  return { json, only, repeat: repeat === undefined ? undefined : Number(repeat) };
}

/** @type {import('./shared/command.js').Command['options']} */
const options = { json: { type: 'boolean' }, only: { type: 'string' }, repeat: { type: 'string' } };
run({ name: 'measure:processes', help: HELP, options }, read, main);
