'use strict';

// Runs a step of a release: npm run release -- STEP

const { execute } = require('../shared/cargo.js');

/** Tests that need only Node, the packages of `npm ci` and the binary. */
const PORTABLE = [
  ...['cluster', 'drain', 'events', 'express', 'happy', 'lifecycle', 'lists', 'master-list', 'router', 'shutdown'],
  ...['signed', 'status', 'workers'],
];
// Windows has no SIGTERM, with which the other tests end their servers.
const names = process.platform === 'win32' ? ['lists'] : PORTABLE;
const tests = [...names.map((name) => `__test__/${name}.test.js`), '__test__/support/owners-agree.cjs'];

/** @type {Record<string, [what: string, command: string, ...args: string[]]>} */
const STEPS = {
  build: ['build the binary for a Rust TARGET, in target/binaries', 'bash', 'scripts/release/build.sh'],
  elsewhere: ['build and try the binary for another Linux TARGET, as root', 'bash', 'scripts/release/elsewhere.sh'],
  try: [
    'run the tests that need no tools but the binary',
    process.execPath,
    ...['--test', '--test-concurrency=2', '--test-reporter=spec', ...tests],
  ],
  pack: ['pack all packages, in target/pack; --help has its options', process.execPath, 'scripts/release/pack.js'],
  publish: ['publish what pack made; takes options of npm publish', 'bash', 'scripts/release/publish.sh'],
  licences: [
    'write THIRD-PARTY-LICENSES.md; needs cargo-about',
    'cargo',
    ...['about', 'generate', 'about.hbs', '--output-file', 'THIRD-PARTY-LICENSES.md'],
  ],
  version: ['copy the version of package.json to all manifests', process.execPath, 'scripts/release/version.js'],
};

const [step = '', ...args] = process.argv.slice(2);
const found = Object.hasOwn(STEPS, step) ? STEPS[step] : undefined;
if (!found) {
  const lines = Object.entries(STEPS).map(([name, [what]]) => `  ${name.padEnd(10)} ${what}`);
  console.error(`npm run release -- STEP\n\n${lines.join('\n')}`);
  process.exit(2);
}
const [, command, ...fixed] = found;
process.exit(execute(command, [...fixed, ...args]));
