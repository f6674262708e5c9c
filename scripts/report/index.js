'use strict';

// Runs the simulator and writes docs/contributors/convergence.md and its plots: how long until all servers know of a change.

const { mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { availableParallelism, totalmem } = require('node:os');
const { join, resolve } = require('node:path');

const { document } = require('./document.js');
const { plots } = require('./plots.js');
const { plan } = require('./plan.js');
const { Results, argumentsOf, build, simulate } = require('./simulator.js');
const { targets } = require('./targets.js');
const { ROOT } = require('../shared/cargo.js');
const { progress, run } = require('../shared/command.js');

const HELP = `npm run report [-- --quick --up-to N --out DIR --save FILE --load FILE]

Runs the simulator at sizes from 3 to 10 000 servers and writes convergence.md with its plots, convergence/*.svg.

  --out DIR    where to write, default: docs/contributors
  --quick      few seeds, 100 servers at most: under a minute, to see that it works
  --up-to N    no cluster of more than N servers
  --save FILE  keep the output of the simulator
  --load FILE  read it from there and simulate nothing: to work on the text and the plots

Takes about twelve minutes on two cores. 10 000 servers need 16 GB of memory.
`;

/** Larger clusters need the memory for themselves; smaller ones are simulated in parallel. */
const LARGE = 3000;
/** Memory that a larger cluster needs, bytes. */
const MEMORY = 16 * 2 ** 30;

/** @typedef {import('./simulator.js').Result} Result */
/** @typedef {import('./simulator.js').Run} Run */

/** @param {{ quick?: boolean, upTo?: number }} of @returns {Promise<Result[]>} */
async function simulateAll(of) {
  const runs = plan(of);
  // Checked first: otherwise the system kills the simulator after all other runs.
  if (runs.some(({ n }) => n > LARGE) && totalmem() < MEMORY) {
    throw new Error('10 000 servers need 16 GB of memory; --up-to 3000 leaves them out');
  }
  const simulator = await build();
  /** @type {Result[]} */
  const results = [];
  /** @param {Run[]} queue */
  const work = async (queue) => {
    for (let run = queue.shift(); run; run = queue.shift()) {
      progress(`${results.length} of ${runs.length} done; ${argumentsOf(run.kind, run).join(' ')}`);
      results.push(await simulate(simulator, run));
    }
  };
  // The simulator uses a core for each seed.
  const isSingle = (/** @type {Run} */ { n, seeds }) => seeds === 1 && n <= LARGE;
  const singles = runs.filter(isSingle);
  await Promise.all(Array.from({ length: availableParallelism() }, () => work(singles)));
  await work(runs.filter((run) => !isSingle(run)));
  progress('');
  return results;
}

/** @param {ReturnType<typeof read>} options */
async function main({ quick, upTo, out, save, load }) {
  const list = load === undefined ? await simulateAll({ quick, upTo }) : JSON.parse(readFileSync(load, 'utf8'));
  if (save !== undefined) writeFileSync(save, JSON.stringify(list));
  const results = new Results(list);
  const drawn = plots(results);
  mkdirSync(join(out, 'convergence'), { recursive: true });
  for (const { name, svg } of drawn) writeFileSync(join(out, 'convergence', `${name}.svg`), svg);
  const file = join(out, 'convergence.md');
  writeFileSync(file, document(results, drawn, targets(results)));
  console.log(file);
}

/** @param {{ quick?: boolean, 'up-to'?: string, out: string, save?: string, load?: string }} values */
function read(values) {
  const upTo = values['up-to'] === undefined ? undefined : Number(values['up-to']);
  if (upTo !== undefined && !(upTo >= 3)) throw new Error('--up-to takes a number, 3 at least');
  return { ...values, upTo, out: resolve(values.out) };
}

run({
  name: 'report --',
  help: HELP,
  options: {
    quick: { type: 'boolean' },
    'up-to': { type: 'string' },
    out: { type: 'string', default: join(ROOT, 'docs/contributors') },
    save: { type: 'string' },
    load: { type: 'string' },
  },
  read,
  main,
});
