'use strict';

// Runs a benchmark: npm run bench -- NAME, or without a name the one that docs/contributors/performance.md is made from.

const { execute } = require('../shared/cargo.js');
const { run } = require('../shared/command.js');

/** @type {Record<string, () => { command: import('../shared/command.js').Command<any> }>} */
const BENCHMARKS = {
  cost: () => require('./cost/index.js'),
  load: () => require('./load/index.js'),
  traffic: () => require('./traffic.js'),
  processes: () => require('./processes/index.js'),
  death: () => require('./death.js'),
  peers: () => require('./peers/index.js'),
  install: () => require('./install.js'),
  hostile: () => require('./hostile.js'),
};

const args = process.argv.slice(2);
const name = args[0] === undefined || args[0].startsWith('-') ? 'cost' : String(args.shift());
if (name === 'core') {
  const bench = ['bench', '--quiet', '--package', 'clustershazbot-core', '--bench', 'core'];
  process.exit(execute('cargo', [...bench, '--', ...args]));
}
const benchmark = BENCHMARKS[name];
if (!benchmark) {
  console.error(`No benchmark is named ${name}. npm run bench -- takes core, ${Object.keys(BENCHMARKS).join(', ')}`);
  process.exit(2);
}
run(benchmark().command, args);
