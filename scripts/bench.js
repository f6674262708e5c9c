'use strict';

// What the package costs, beside what version 1 cost: docs/performance.md and its plots.

const { execFileSync } = require('node:child_process');
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { cpus, release, totalmem, type } = require('node:os');
const { join, resolve } = require('node:path');

const { NODE } = require('./bench/children.js');
const { SECTIONS, measure } = require('./bench/measure.js');
const { isOnCore } = require('./bench/meter.js');
const { outcomes } = require('./bench/targets.js');
const { summary } = require('./bench/table.js');
const { build } = require('./measure/build.js');
const { progress, run } = require('./shared/command.js');

const HELP = `npm run bench [-- --quick --sizes N,N --only SECTION --json --check --report --out DIR --load FILE]

Measures what the package costs, beside the same work done by a plain JavaScript implementation of version 1, in clusters
of 10 to 10 000 servers. Times are those for which a thread had a core, on Linux: other work on the machine disturbs them
little.

  --quick         few rounds, and 1 000 servers only
  --sizes N,N     other sizes
  --only SECTION  one of ${SECTIONS.join(', ')}; may be given again
  --json          print everything measured
  --check         fail when a target is missed; one that was not measured is not
  --report        write performance.md with its plots, performance/*.svg; what measure:load, measure:traffic and bench:core
                  have printed is taken from docs/performance/load.json, traffic.json and core.txt
  --out DIR       where to, instead of docs
  --load FILE     take what --json printed, and measure nothing

Takes four minutes; with --quick half a minute.
`;

const SIZES = [10, 100, 1_000, 10_000];
const DOCS = join(__dirname, '..', 'docs');

/** @param {ReturnType<typeof read>} options */
async function main({ quick = false, sizes, only, json, check, report, out, load }) {
  const kept = load === undefined ? undefined : JSON.parse(readFileSync(load, 'utf8'));
  // A test runs this without npm: the addon is there, and is not to be replaced under others that have loaded it.
  if (!kept && process.env.npm_lifecycle_event === 'bench') build();
  const results = kept ?? (await measure({ sizes, sections: only, quick, progress }));
  /** @type {import('./bench/document.js').Measured} */
  const measured = { machine: machine(), ...results, targets: outcomes(results) };
  if (json) console.log(JSON.stringify(measured, undefined, 2));
  else console.log(summary(measured));
  if (report) write(out, measured);
  if (check && measured.targets.some(({ met }) => !met)) process.exitCode = 1;
}

/** @param {string} out @param {import('./bench/document.js').Measured} measured */
function write(out, measured) {
  const { document } = require('./bench/document.js');
  const { figures } = require('./bench/figures.js');
  const drawn = figures(measured);
  mkdirSync(join(out, 'performance'), { recursive: true });
  for (const { name, svg } of drawn) writeFileSync(join(out, 'performance', `${name}.svg`), svg);
  const kept = (/** @type {string} */ name) => {
    const file = join(DOCS, 'performance', name);
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  };
  const others = { load: kept('load.json'), traffic: kept('traffic.json'), core: kept('core.txt') };
  writeFileSync(join(out, 'performance.md'), document(measured, drawn, others));
}

function machine() {
  const all = cpus();
  return {
    cpu: String(all[0]?.model).trim(),
    cores: all.length,
    memory: totalmem(),
    node: execFileSync(NODE, ['--version'], { encoding: 'utf8' }).trim(),
    system: `${type()} ${release()}, ${process.arch}`,
    isOnCore,
  };
}

/** @param {{ quick?: boolean, sizes?: string, only?: string[], json?: boolean, check?: boolean, report?: boolean, out: string, load?: string }} values */
function read(values) {
  const sizes = values.sizes?.split(',').map(Number) ?? (values.quick ? [1_000] : SIZES);
  if (!sizes.every((n) => Number.isInteger(n) && n >= 10)) throw new Error('--sizes takes numbers, 10 at least');
  const unknown = values.only?.find((name) => !SECTIONS.includes(name));
  if (unknown !== undefined) throw new Error(`--only takes one of ${SECTIONS.join(', ')}`);
  return { ...values, sizes, only: values.only ?? SECTIONS, out: resolve(values.out) };
}

/** @type {import('./shared/command.js').Command['options']} */
const options = {
  quick: { type: 'boolean' },
  sizes: { type: 'string' },
  only: { type: 'string', multiple: true },
  json: { type: 'boolean' },
  check: { type: 'boolean' },
  report: { type: 'boolean' },
  out: { type: 'string', default: DOCS },
  load: { type: 'string' },
};
run({ name: 'bench', help: HELP, options }, read, main);
