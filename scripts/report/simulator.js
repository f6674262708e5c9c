'use strict';

// Builds the simulator, runs it, and reads the JSON that it prints.

const { spawn } = require('node:child_process');

const { ROOT, SIMULATOR } = require('../shared/cargo.js');

/**
 * @typedef {object} Kind what is simulated
 * @property {string} scenario
 * @property {boolean} [v1] all servers are of version 1
 * @property {false} [list] the master list goes away once the cluster is settled
 * @property {boolean} [skew] clocks are up to an hour fast or slow
 * @property {number} [interval] in s
 * @property {number} [loss] share of exchanges lost
 */
/** @typedef {{ kind: Kind, n: number, seeds: number }} Run */
/** @typedef {{ mean: number | null, p50: number | null, p99: number | null, max: number | null }} Spread */
/**
 * @typedef {object} Report the output of the simulator, as far as it is used here; null: it did not happen within the limit
 * @property {Spread | null} seconds null if the scenario measures no time
 * @property {number | null} slowestSeed
 * @property {number[]} unfinished
 * @property {number} bytesPerServerAndSecond
 * @property {Spread} pushesPerServer
 * @property {Record<string, Spread>} extra
 */
/** @typedef {{ run: Run, report: Report }} Result */

/**
 * The arguments of the simulator. Without a size they have placeholders, for the document.
 *
 * @param {Kind} kind
 * @param {{ n: number | string, seeds: number | string }} [size]
 */
function argumentsOf(kind, { n, seeds } = { n: 'N', seeds: 'SEEDS' }) {
  const args = ['--scenario', kind.scenario, '--n', String(n), '--seeds', String(seeds)];
  // Version 1 always runs alone: as a comparison it would have the master list.
  args.push(...(kind.v1 ? ['--v1', '1'] : ['--no-v1']));
  if (kind.list === false) args.push('--no-list');
  if (kind.skew) args.push('--skew');
  if (kind.interval !== undefined) args.push('--interval', String(kind.interval));
  if (kind.loss !== undefined) args.push('--loss', String(kind.loss));
  return args;
}

/**
 * Builds the simulator once and returns its path, so that the whole report is of one state of the source.
 *
 * @returns {Promise<string>}
 */
async function build() {
  const args = ['build', ...SIMULATOR, '--message-format', 'json-render-diagnostics'];
  const { status, stdout } = await output('cargo', args);
  const executables = stdout.split('\n').flatMap((line) => (line ? (JSON.parse(line).executable ?? []) : []));
  const executable = executables.at(-1);
  if (status !== 0 || executable === undefined) throw new Error('the simulator could not be built');
  return executable;
}

/**
 * @param {string} simulator its path
 * @param {Run} run
 * @returns {Promise<Result>}
 */
async function simulate(simulator, run) {
  const args = [...argumentsOf(run.kind, run), '--json'];
  // A time over the limit makes the simulator fail, but is a result. Without output it has crashed.
  const { status, stdout } = await output(simulator, args);
  if (!stdout.startsWith('{')) {
    throw new Error(`the simulator printed no result for ${args.join(' ')}: ${stdout.trim() || `exit code ${status}`}`);
  }
  return { run, report: JSON.parse(stdout) };
}

/**
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<{ status: number | NodeJS.Signals | null, stdout: string }>}
 */
function output(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ status: code ?? signal, stdout }));
  });
}

/** The results of all runs. */
class Results {
  /** @param {Result[]} list */
  constructor(list) {
    this.list = list;
  }

  /**
   * All results of a kind, the smallest cluster first.
   *
   * @param {Kind} kind
   */
  of(kind) {
    const key = String(argumentsOf(kind));
    const found = this.list.filter(({ run }) => String(argumentsOf(run.kind)) === key);
    return found.sort((a, b) => a.run.n - b.run.n);
  }

  /**
   * @param {Kind} kind
   * @param {number} n
   */
  at(kind, n) {
    return this.of(kind).find(({ run }) => run.n === n);
  }
}

module.exports = { Results, argumentsOf, build, simulate };
