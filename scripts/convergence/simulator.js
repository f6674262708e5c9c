'use strict';

// The simulator, run for its JSON.

const { spawn } = require('node:child_process');
const { join } = require('node:path');

const ROOT = join(__dirname, '..', '..');
const FEATURES = ['--no-default-features', '--features', 'sim', '--bin', 'sim', '--target-dir', 'target/test'];

/**
 * @typedef {object} Kind what happens, and to servers of which version
 * @property {string} scenario
 * @property {boolean} [v1] all servers are of version 1
 * @property {false} [list] the master list is gone when the cluster has come about
 * @property {boolean} [skew] clocks are an hour wrong, either way
 * @property {number} [interval] in s
 * @property {number} [loss] the share of exchanges that is lost
 */
/** @typedef {{ kind: Kind, n: number, seeds: number }} Run */
/** @typedef {{ mean: number | null, p50: number | null, p99: number | null, max: number | null }} Spread */
/**
 * @typedef {object} Report what the simulator prints, as far as it is used here; a time that never came is null
 * @property {Spread | null} seconds null: there was nothing to measure
 * @property {number | null} slowestSeed
 * @property {number[]} unfinished
 * @property {number} bytesPerServerAndSecond
 * @property {Spread} pushesPerServer
 * @property {Record<string, Spread>} extra
 */
/** @typedef {{ run: Run, report: Report }} Result */

/**
 * What the simulator is given for a kind. Without a size it is what the document prints.
 *
 * @param {Kind} kind
 * @param {{ n: number | string, seeds: number | string }} [size]
 */
function argumentsOf(kind, { n, seeds } = { n: 'N', seeds: 'SEEDS' }) {
  const args = ['--scenario', kind.scenario, '--n', String(n), '--seeds', String(seeds)];
  // Version 1 is always asked for on its own: as a comparison it would have the master list.
  args.push(...(kind.v1 ? ['--v1', '1'] : ['--no-v1']));
  if (kind.list === false) args.push('--no-list');
  if (kind.skew) args.push('--skew');
  if (kind.interval !== undefined) args.push('--interval', String(kind.interval));
  if (kind.loss !== undefined) args.push('--loss', String(kind.loss));
  return args;
}

/**
 * Builds the simulator and returns its path. Once, so that a report is of one state of the source.
 *
 * @returns {Promise<string>}
 */
async function build() {
  const args = ['build', '--quiet', '--profile', 'quick', ...FEATURES, '--message-format', 'json-render-diagnostics'];
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
  // It fails too when a time never came, which is a result; what has none has crashed.
  const { status, stdout } = await output(simulator, args);
  if (!stdout.startsWith('{')) {
    throw new Error(`the simulator gave nothing for ${args.join(' ')}: ${stdout.trim() || `it ended with ${status}`}`);
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

/** What has been simulated. */
class Results {
  /** @param {Result[]} list */
  constructor(list) {
    this.list = list;
  }

  /**
   * All of a kind, the smallest cluster first.
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
