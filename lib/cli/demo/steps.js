'use strict';

// The steps of the demo: what each does, and how the servers must list each other afterwards.

const { setTimeout: sleep } = require('node:timers/promises');
const { CommandError } = require('../command-error.js');
const { formatSeconds } = require('./screen.js');

/** How long a step may take. */
const TIMEOUT_MS = 30_000;
/** How long its result must last. The page asks every 2 s, and must show each. */
const HOLD_MS = 3000;
const CHECK_MS = 20;

/**
 * @typedef {InstanceType<typeof import('./cluster.js').Cluster>} Cluster
 * @typedef {import('./cluster.js').Server} Server
 *
 * @typedef {object} Expectation
 * @property {number[]} [offline] the servers that all must list offline; all others must be listed online
 * @property {boolean} [stopped] whether the offline servers must have stopped
 * @property {number} [holdMs] how long the lists must not change, for a step that does nothing else
 * @property {() => unknown} [act]
 *
 * @typedef {import('./screen.js').Step & Expectation} Step
 */

/**
 * @param {Cluster} cluster
 * @param {number} interval seconds between two rounds of gossip
 * @returns {Step[]}
 */
function demoSteps(cluster, interval) {
  const server = (/** @type {number} */ number) => /** @type {Server} */ (cluster.servers[number - 1]);
  const allOnline = 'all five list each other online';
  return [
    {
      name: 'start 1 to 5',
      goal: allOnline,
      act: () => cluster.servers.forEach((server) => void cluster.start(server)),
    },
    {
      // A server that has never answered us may refuse connections for 60 s after its start: it may not listen yet. In
      // ten intervals each server probes each other one, so that all notice the kill.
      name: 'run on',
      goal: 'no change for ten intervals',
      holdMs: 10 * interval * 1000,
    },
    {
      name: 'kill 3',
      goal: 'the four others list it offline',
      offline: [3],
      stopped: true,
      act: () => cluster.kill(server(3)),
    },
    { name: 'start 3 again', goal: allOnline, act: () => cluster.start(server(3)) },
    { name: 'drain 2', goal: 'all five list it offline', offline: [2], act: () => cluster.control(server(2), false) },
    { name: 'undrain 2', goal: allOnline, act: () => cluster.control(server(2), true) },
  ];
}

/**
 * Runs a step, waits until all servers know, and checks that the result lasts.
 *
 * @param {Step} step
 * @param {Cluster} cluster
 * @param {import('./screen.js').Screen} screen
 */
async function runStep(step, cluster, screen) {
  step.began = performance.now();
  screen.step(step);
  try {
    await step.act?.();
    await untilMet(step, step.began, cluster);
    if (!step.holdMs) finish(step, 'done', screen);
    const holdUntil = performance.now() + (step.holdMs ?? HOLD_MS);
    while (performance.now() < holdUntil) {
      let mismatch = firstMismatch(step, cluster);
      if (mismatch) {
        // The lists may name a dead server before its exit event comes; then the next check throws with its output.
        await sleep(HOLD_MS);
        mismatch = firstMismatch(step, cluster) ?? mismatch;
      }
      if (mismatch) throw new CommandError(`"${step.name}" succeeded but did not last: ${mismatch}.`);
      await sleep(CHECK_MS);
    }
    if (step.holdMs) finish(step, 'done', screen);
  } catch (error) {
    finish(step, 'failed', screen);
    throw error;
  }
}

/**
 * @param {Step} step
 * @param {number} began
 * @param {Cluster} cluster
 */
async function untilMet(step, began, cluster) {
  for (let mismatch = firstMismatch(step, cluster); mismatch; mismatch = firstMismatch(step, cluster)) {
    if (performance.now() - began > TIMEOUT_MS) {
      throw new CommandError(`"${step.name}" did not succeed within ${formatSeconds(TIMEOUT_MS)}: ${mismatch}.`);
    }
    await sleep(CHECK_MS);
  }
}

/**
 * @param {Step} step
 * @param {'done' | 'failed'} outcome
 * @param {import('./screen.js').Screen} screen
 */
function finish(step, outcome, screen) {
  step.outcome = outcome;
  step.took = performance.now() - Number(step.began);
  screen.step(step);
}

/**
 * @param {Expectation} expectation
 * @param {Cluster} cluster
 * @returns {string | undefined} what is not yet as expected
 */
function firstMismatch({ offline = [], stopped = false }, { servers }) {
  for (const viewer of servers) {
    const name = `server ${viewer.number}`;
    if (stopped && offline.includes(viewer.number)) {
      if (viewer.child) return `${name} still runs`;
      continue;
    }
    if (!viewer.child) {
      throw new CommandError(`Server ${viewer.number} ended unexpectedly. ${viewer.stderr}`.trimEnd());
    }
    if (!viewer.view) return `${name} does not answer`;
    for (const { number } of servers) {
      const expected = offline.includes(number) ? 'offline' : 'online';
      const actual = viewer.view[number - 1];
      if (actual === 'unknown') return `${name} does not list server ${number}`;
      if (actual !== expected) return `${name} lists server ${number} ${actual}, not ${expected}`;
    }
  }
}

module.exports = { demoSteps, runStep };
