'use strict';

// Runs all checks and tests, one step after the other, and prints how long each took. `npm test` builds the addon first.
//   --quick                  only steps and tests that do not wait: under 90 s
//   SHAZBOT_TEST_ALL=1       a missing tool fails its tests instead of skipping them
//   SHAZBOT_TEST_SCHEDULES   random schedules of faults in the simulator, default: 300. Before a release: 10000
//   SHAZBOT_TEST_INPUTS      random inputs for each fuzz target, default: 10000
//   SHAZBOT_TEST_BODIES      random bodies in each test of random-bodies.test.js, default: 40. Before a release: 2000
//   PROPTEST_CASES           random cases of each property test, default: 100000, with --quick 1000

const { spawnSync } = require('node:child_process');
const { existsSync, readdirSync } = require('node:fs');
const { delimiter, dirname, join } = require('node:path');

const { ROOT, SIMULATOR, execute } = require('./shared/cargo.js');
const { table } = require('./shared/text.js');

const isQuick = process.argv.includes('--quick');
const mustHaveAll = process.env.SHAZBOT_TEST_ALL === '1';
// The Node that runs npm: `node` in npm's PATH may be the newer one that some tests install.
const node = process.env.npm_node_execpath ?? process.execPath;
const env = {
  ...process.env,
  PATH: [dirname(node), process.env.PATH, join(ROOT, 'target', 'tools', 'bin')].join(delimiter),
  PROPTEST_CASES: process.env.PROPTEST_CASES ?? (isQuick ? '1000' : '100000'),
};

/** The slowest test files, which start first so that none of them runs alone at the end. */
const SLOWEST = ['faults', 'stall', 'install'];
/** Test files that take at most a few seconds each. */
const QUICK = [
  ...[
    'config',
    'errors',
    'events',
    'express',
    'guarantees',
    'happy',
    'jest',
    'lifecycle',
    'lists',
    'metrics',
    'publish',
  ],
  ...['router', 'status', 'subpaths', 'tls-and-proxy', 'trust', 'unknown-names'],
];

const all = readdirSync(join(ROOT, '__test__')).flatMap((file) => /^(.*)\.test\.js$/.exec(file)?.[1] ?? []);
const chosen = isQuick ? QUICK : [...SLOWEST, ...all.filter((name) => !SLOWEST.includes(name))];
const files = chosen.map((name) => join('__test__', `${name}.test.js`));

/** @param {...string} args */
const simulator = (...args) => ['run', ...SIMULATOR, '--', ...args];
/** @param {string} command @param {...string} args */
const has = (command, ...args) => mustHaveAll || spawnSync(command, args, { env }).status === 0;

/**
 * @typedef {object} Step
 * @property {string} what
 * @property {boolean} [quick] runs with --quick too
 * @property {() => boolean} [when] false: it is skipped
 * @property {string} command
 * @property {string[]} args
 */

const { SHAZBOT_TEST_SCHEDULES = '300', SHAZBOT_TEST_INPUTS = '10000' } = process.env;
const fuzzFormat = ['fmt', '--check', '--manifest-path', 'fuzz/Cargo.toml'];
const peersFormat = ['fmt', '--check', '--manifest-path', 'benches/peers/Cargo.toml'];
const clippy = ['clippy', '--workspace', '--all-targets', '--', '-D', 'warnings'];
const coreTests = ['test', '--workspace', '--profile', 'quick', '--no-default-features', '--target-dir', 'target/test'];
const engineTests = ['test', '--no-default-features', '--features', 'engine', '--lib', 'engine::'];
const nodeTests = ['--test', '--test-concurrency=3', '--test-reporter=spec', ...files];

/** @type {Step[]} */
const STEPS = [
  {
    what: 'generated types are committed',
    when: () => mustHaveAll,
    command: 'git',
    args: ['diff', '--exit-code', 'lib/native.d.ts'],
  },
  { what: 'commit messages', quick: true, command: node, args: ['scripts/commits.js'] },
  { what: 'format of the Rust code', quick: true, command: 'cargo', args: ['fmt', '--all', '--check'] },
  { what: 'format of the fuzz targets', quick: true, command: 'cargo', args: fuzzFormat },
  { what: 'format of the benchmark of peers', quick: true, command: 'cargo', args: peersFormat },
  { what: 'lints of the Rust code', quick: true, command: 'cargo', args: clippy },
  { what: 'the core without I/O crates', command: 'cargo', args: ['check', '--no-default-features'] },
  {
    what: 'lints of the JavaScript code',
    quick: true,
    command: 'npx',
    args: ['biome', 'check', '--error-on-warnings'],
  },
  { what: 'types of the JavaScript code', quick: true, command: 'npx', args: ['tsc'] },
  { what: 'English of the documents', quick: true, command: node, args: ['scripts/prose.js'] },
  { what: 'types of the page', quick: true, command: 'npx', args: ['tsc', '--project', 'tsconfig.page.json'] },
  { what: 'tests of the core and the simulator', quick: true, command: 'cargo', args: coreTests },
  { what: 'targets in the simulator', command: 'cargo', args: simulator('--check') },
  { what: 'random faults in the simulator', command: 'cargo', args: simulator('--fuzz', SHAZBOT_TEST_SCHEDULES) },
  { what: 'all runs with one surprise in the simulator', command: 'cargo', args: simulator('--explore') },
  { what: 'tests of the engine', command: 'cargo', args: engineTests },
  { what: 'tests of the package', quick: true, command: node, args: nodeTests },
  {
    what: 'the documentation site',
    when: () => mustHaveAll || existsSync(join(ROOT, 'site', 'node_modules')),
    command: 'npm',
    args: ['run', '--silent', 'docs'],
  },
  {
    what: 'random inputs for all parsers',
    // libFuzzer is C++.
    when: () => has(process.env.CXX ?? 'c++', '--version'),
    command: node,
    args: ['scripts/fuzz.js', '--runs', SHAZBOT_TEST_INPUTS],
  },
  {
    what: 'licences and sources of the crates',
    when: () => has('cargo', 'deny', '--version'),
    command: 'cargo',
    args: ['deny', 'check', 'licenses', 'sources', 'bans'],
  },
];

/** @type {string[][]} */
const times = [];
let failed = '';
for (const { what, quick, when, command, args } of STEPS) {
  if (isQuick && !quick) continue;
  if (when && !when()) {
    console.log(`\n# ${what}: skipped`);
    continue;
  }
  console.log(`\n# ${what}\n`);
  const since = performance.now();
  const status = execute(command, args, env);
  times.push([what, `${((performance.now() - since) / 1000).toFixed(1)} s`]);
  if (status === 0) continue;
  failed = what;
  break;
}
console.log(`\n${table(times)}`);
if (failed) {
  console.error(`\n${failed}: failed`);
  process.exitCode = 1;
}
