'use strict';

// Everything that must hold, one step after the other. `npm test` builds the addon first.
// SHAZBOT_TEST_ALL=1: a tool that a test needs and that is not there is a failure, not a skip.

const { spawnSync } = require('node:child_process');
const { readdirSync } = require('node:fs');
const { delimiter, dirname, join } = require('node:path');

const root = join(__dirname, '..');
// The Node that runs npm. What npm calls `node` may be the newer one that some tests install.
const node = process.env.npm_node_execpath ?? process.execPath;
const PATH = [dirname(node), process.env.PATH, join(root, 'target', 'tools', 'bin')].join(delimiter);
const mustHaveAll = process.env.SHAZBOT_TEST_ALL === '1';
// The longest first, or they would run alone at the end.
const first = ['faults.test.js', 'stall.test.js', 'install.test.js'];
const tests = readdirSync(join(root, '__test__'))
  .filter((name) => name.endsWith('.test.js'))
  .sort((a, b) => Number(first.includes(b)) - Number(first.includes(a)))
  .map((name) => join('__test__', name));

// The simulator's random schedules of faults: a few in every run, 10 000 before a release.
const schedules = process.env.SHAZBOT_TEST_SCHEDULES ?? '300';
const sim = ['run', '--quiet', '--profile', 'quick', '--no-default-features', '--features', 'sim', '--bin', 'sim'];
const apart = ['--target-dir', 'target/test'];
// Random inputs to all that parses: a few in every run, a million each by `npm run fuzz`. libFuzzer is C++.
const inputs = process.env.SHAZBOT_TEST_INPUTS ?? '10000';

/** @type {[what: string, command: string, args: string[], env?: Record<string, string>][]} */
const steps = [
  ['format of the Rust code', 'cargo', ['fmt', '--check']],
  ['format of the fuzz targets', 'cargo', ['fmt', '--check', '--manifest-path', 'fuzz/Cargo.toml']],
  ['lints of the Rust code', 'cargo', ['clippy', '--all-targets', '--features', 'sim', '--', '-D', 'warnings']],
  ['the core alone', 'cargo', ['check', '--no-default-features']],
  ['format and lints of the JavaScript code', 'npx', ['biome', 'check', '--error-on-warnings']],
  ['types of the JavaScript code', 'npx', ['tsc']],
  ['types of the page', 'npx', ['tsc', '--project', 'tsconfig.page.json']],
  [
    'tests of the core',
    'cargo',
    ['test', '--profile', 'quick', '--no-default-features', ...apart],
    { PROPTEST_CASES: process.env.PROPTEST_CASES ?? '100000' },
  ],
  ['figures that must hold, simulated', 'cargo', [...sim, ...apart, '--', '--check']],
  ['random schedules of faults, simulated', 'cargo', [...sim, ...apart, '--', '--fuzz', schedules]],
  ['tests of the engine', 'cargo', ['test', '--no-default-features', '--features', 'engine', '--lib', 'engine::']],
  ['tests of the package', node, ['--test', '--test-concurrency=2', '--test-reporter=spec', ...tests]],
];

// What these need is installed by .ci/run.
if (mustHaveAll || !spawnSync(process.env.CXX ?? 'c++', ['--version']).error) {
  steps.push(['random inputs to all that parses', node, ['scripts/fuzz.js', '--runs', inputs]]);
}
if (mustHaveAll || spawnSync('cargo', ['deny', '--version'], { env: { ...process.env, PATH } }).status === 0) {
  steps.push(['licences and sources of the crates', 'cargo', ['deny', 'check', 'licenses', 'sources', 'bans']]);
}
if (mustHaveAll) {
  steps.unshift(['generated types are those committed', 'git', ['diff', '--exit-code', 'lib/native.d.ts']]);
}

for (const [what, command, args, env] of steps) {
  console.log(`\n# ${what}\n`);
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH, ...env },
  });
  if (status !== 0) {
    console.error(`\n${what}: failed${error ? ` (${error.message})` : ''}`);
    process.exit(1);
  }
}
