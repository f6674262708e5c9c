'use strict';

// Measures one kind of cluster: what it costs while idle, how long until all know of each fault, and whether servers that
// live are listed offline on a busy machine.

const { spawn } = require('node:child_process');
const { cpus } = require('node:os');
const { setTimeout: sleep } = require('node:timers/promises');

const { startStar } = require('../../../harness/namespaces.js');
const { progress } = require('../../shared/command.js');
const { cpuOf, memoryOf } = require('../../shared/proc.js');
const { close, scope } = require('../scope.js');

/** Time for what follows a start, ms: servers that are new exchange more. */
const SETTLE = 60_000;
/** A fault that the servers twice did not notice in time is not tried again. */
const MISSES = 2;
/** A fault comes at any time within this, ms, unless the kind says otherwise. */
const SPREAD = 2_000;
/** How long false deaths are counted after the busy loops, ms. */
const AFTER = 15_000;
/** How many busy loops a core has in the test on a busy machine. */
const LOOPS = 2;

const FAULTS = /** @type {const} */ (['killed', 'exits', 'left', 'hung', 'gone']);

/** @typedef {import('./kinds.js').Kind} Kind */
/** @typedef {import('./kinds.js').AnyCluster} AnyCluster */
/** @typedef {import('./kinds.js').Server} Server */
/** @typedef {Awaited<ReturnType<typeof startStar>>} Star */
/** @typedef {(typeof FAULTS)[number]} Fault */
/** @typedef {{ servers: number, repeat: number, seconds: number }} Options */
/** @typedef {{ bytes: number, packets: number, cpu: number, memory: number }} Idle of one server: a second; share of a core; bytes */
/**
 * @typedef {object} Result
 * @property {string} name
 * @property {string} who
 * @property {string} settings
 * @property {string} [version] undefined: not installed
 * @property {Idle} [idle]
 * @property {Partial<Record<Fault, (number | null)[]>>} times until all know, in ms; null: longer than the limit
 * @property {number} [falseDeaths] how often a server listed a living one offline
 * @property {string} [failure] why the measurement ended early
 */

/**
 * @param {Kind} kind
 * @param {Options} options
 * @returns {Promise<Result>} with what was measured before a failure
 */
async function measure(kind, options) {
  const { name, who, settings } = kind;
  /** @type {Result} */
  const result = { name, who, settings, version: kind.install(), times: {} };
  if (result.version === undefined) return result;
  try {
    const star = await startStar(scope, options.servers);
    progress(`${who}: start`);
    const cluster = await kind.start(star.places);
    progress(`${who}: idle`);
    await sleep(Math.min(SETTLE, options.seconds * 1000));
    result.idle = await idle(cluster, star, options.seconds);
    result.falseDeaths = await falseDeaths(cluster, who, options.seconds);
    let faults = 0;
    for (const fault of FAULTS) {
      /** @type {(number | null)[]} */
      const times = [];
      result.times[fault] = times;
      while (times.length < options.repeat && !isUnnoticed(times)) {
        progress(`${who}, ${fault}: ${times.length + 1} of ${options.repeat}`);
        // In turn: one that has just started again is not yet observed for long.
        const victim = /** @type {Server} */ (cluster.servers[faults++ % options.servers]);
        times.push((await happen(fault, { kind, cluster, star, victim })) ?? null);
      }
    }
  } catch (error) {
    result.failure = String(/** @type {Error} */ (error).message);
  } finally {
    await close();
  }
  return result;
}

/** @param {(number | null)[]} times */
const isUnnoticed = (times) => times.filter((ms) => ms === null).length >= MISSES;

/** @param {AnyCluster} cluster @param {Star} star @param {number} seconds @returns {Promise<Idle>} */
async function idle({ servers }, { sent }, seconds) {
  const pids = servers.map(({ child }) => Number(child?.pid));
  const [sum, count] = [(/** @type {number[]} */ all) => all.reduce((a, b) => a + b, 0), servers.length];
  const [before, cpu, since] = [sent(), sum(pids.map(cpuOf)), performance.now()];
  await sleep(seconds * 1000);
  const [after, ms] = [sent(), performance.now() - since];
  const perSecond = (/** @type {number} */ amount) => (1000 * amount) / ms / count;
  return {
    bytes: perSecond(after.bytes - before.bytes),
    packets: perSecond(after.packets - before.packets),
    cpu: (sum(pids.map(cpuOf)) - cpu) / ms / count,
    memory: sum(pids.map(memoryOf)) / count,
  };
}

/** Keeps all cores busy, and counts who is listed offline. @param {AnyCluster} cluster @param {string} who @param {number} seconds */
async function falseDeaths(cluster, who, seconds) {
  progress(`${who}: busy cores`);
  const before = cluster.deaths;
  const start = () => spawn(process.execPath, ['--eval', 'for (;;);'], { stdio: 'ignore' });
  const loops = Array.from({ length: LOOPS * cpus().length }, start);
  for (const loop of loops) scope.after(() => loop.kill('SIGKILL'));
  await sleep(seconds * 1000);
  for (const loop of loops) loop.kill('SIGKILL');
  // A suspicion that began may end later.
  await sleep(Math.min(AFTER, seconds * 1000));
  return cluster.deaths - before;
}

/** @typedef {{ kind: Kind, cluster: AnyCluster, star: Star, victim: Server }} Scene */

/**
 * Lets a fault happen and undoes it.
 *
 * @param {Fault} fault
 * @param {Scene} scene
 * @returns {Promise<number | undefined>} ms until all others list the victim offline
 */
async function happen(fault, { kind, cluster, star, victim }) {
  const place = /** @type {import('./kinds.js').Place} */ (victim.place);
  /** @type {Record<Fault, () => unknown>} */
  const acts = {
    killed: () => victim.signal('SIGKILL'),
    exits: () => kind.exit(victim),
    left: () => kind.leave(victim),
    hung: () => victim.signal('SIGSTOP'),
    gone: () => star.unplug(place),
  };
  await sleep((kind.warmUp ?? 0) + Math.random() * (kind.spread ?? SPREAD));
  const since = Date.now();
  acts[fault]();
  const ms = await cluster.rest(cluster.others(victim), [victim], false, since);
  if (fault === 'hung') {
    victim.signal('SIGCONT');
    await cluster.restored(victim).catch(() => startAgain(cluster, victim));
  } else {
    victim.signal('SIGKILL');
    await victim.ended();
    if (fault === 'gone') star.plug(place);
    await startAgain(cluster, victim);
  }
  return ms;
}

/** @param {AnyCluster} cluster @param {Server} victim */
async function startAgain(cluster, victim) {
  victim.signal('SIGKILL');
  await victim.ended();
  cluster.forget(victim);
  await victim.restart();
  await cluster.restored(victim);
}

module.exports = { FAULTS, LOOPS, measure };
