'use strict';

// Measures what the package costs beside version 1, and writes docs/contributors/performance.md and its plots.

const { execFileSync } = require('node:child_process');
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { cpus, release, totalmem, type } = require('node:os');
const { join, resolve } = require('node:path');

const { ROOT } = require('../../shared/cargo.js');
const { progress } = require('../../shared/command.js');
const { build } = require('../build.js');
const { NODE } = require('./children.js');
const { SECTIONS, measure } = require('./measure.js');
const { isOnCore } = require('./meter.js');
const { summary } = require('./summary.js');
const { outcomes } = require('./targets.js');

const HELP = `npm run bench [-- --quick --sizes N,N --only SECTION --json --check --report --out DIR --load FILE]

Measures what the package costs, beside the same work done by a plain JavaScript implementation of version 1, in clusters
of 10 to 10 000 servers. On Linux times are CPU times of a thread: other work on the machine hardly disturbs them.

  --quick         few rounds, and 1 000 servers only
  --sizes N,N     other sizes
  --only SECTION  one of ${SECTIONS.join(', ')}; may be repeated
  --json          print everything measured
  --check         fail if a target is missed; a target that was not measured does not fail
  --report        write performance.md and its plots, performance/*.svg. It also shows the last results of the benchmarks
                  load, traffic and core, from docs/contributors/performance/load.json, traffic.json and core.txt
  --out DIR       where --report writes, default: docs/contributors
  --load FILE     read the output of --json from a file and measure nothing

Takes four minutes; with --quick half a minute.

Other benchmarks, each with a --help of its own except core:
  npm run bench -- core [NAME]  the core alone, in Rust; with NAME only what has NAME in its name
  npm run bench -- load         how gossip delays ordinary requests
  npm run bench -- traffic      what an exchange costs, by the number of offline servers known
  npm run bench -- processes    how long until all know of a change, on real processes
  npm run bench -- install      how long an install takes, and its size
  npm run bench -- hostile      for how long a server is listed online while it is attacked
`;

const SIZES = [10, 100, 1_000, 10_000];
const DOCS = join(ROOT, 'docs/contributors');

/** @param {ReturnType<typeof read>} options */
async function main({ quick = false, sizes, only, json, check, report, out, load }) {
  const kept = load === undefined ? undefined : JSON.parse(readFileSync(load, 'utf8'));
  // Not in the tests, which run this file without npm: other tests have loaded the addon, so it must not be replaced.
  if (!kept && process.env.npm_lifecycle_event === 'bench') build();
  const results = kept ?? (await measure({ sizes, sections: only, quick, progress }));
  /** @type {import('./document.js').Measured} */
  const measured = { machine: machine(), ...results, targets: outcomes(results) };
  if (json) console.log(JSON.stringify(measured, undefined, 2));
  else console.log(summary(measured));
  if (report) write(out, measured);
  if (check && measured.targets.some(({ met }) => !met)) process.exitCode = 1;
}

/** @param {string} out @param {import('./document.js').Measured} measured */
function write(out, measured) {
  const { document } = require('./document.js');
  const { plots } = require('./plots.js');
  const drawn = plots(measured);
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

/** @type {import('../../shared/command.js').Command<ReturnType<typeof read>>} */
const command = {
  name: 'bench --',
  help: HELP,
  options: {
    quick: { type: 'boolean' },
    sizes: { type: 'string' },
    only: { type: 'string', multiple: true },
    json: { type: 'boolean' },
    check: { type: 'boolean' },
    report: { type: 'boolean' },
    out: { type: 'string', default: DOCS },
    load: { type: 'string' },
  },
  read,
  main,
};

module.exports = { command };
