'use strict';

// Measures clustershazbot beside other membership programs, and writes docs/peers.md.

const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { cpus, loadavg, release, totalmem, type } = require('node:os');
const { dirname, join, resolve } = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { isDeepStrictEqual } = require('node:util');

const { startServer } = require('../../../harness/cluster.js');
const { missing } = require('../../../harness/namespaces.js');
const { ROOT } = require('../../shared/cargo.js');
const { progress } = require('../../shared/command.js');
const { memoryOf } = require('../../shared/proc.js');
const { table } = require('../../shared/text.js');
const { build } = require('../build.js');
const { LIMIT } = require('../processes/cluster.js');
const { cleanUpAtExit, close, scope } = require('../scope.js');
const { costs, document, times } = require('./document.js');
const { KINDS } = require('./kinds.js');
const { LOOPS, measure } = require('./measure.js');
const { plots } = require('./plots.js');

const HELP = `npm run bench -- peers [--only NAME --servers N --repeat N --seconds N --file FILE]
npm run bench -- peers --report [--file FILE --out DIR]

Measures clustershazbot at three intervals, Serf, Moleculer's TCP transporter, chitchat and foca, one after the other: the
same number of processes, each in a network namespace of its own, joined by a switch. Needs Linux and root. Takes two
and a half hours. Writes FILE after each program, and prints tables of:
  idle       bytes and packets that a server sends a second while nothing changes, with headers; CPU time; memory
  busy       how often a living server is listed offline while ${LOOPS} busy loops a core run
  killed     SIGKILL of one process: how long until all others list it offline
  exits      the process exits without a leave
  leaves     the server leaves
  hangs      SIGSTOP stops the process
  unplugged  the network of the host is unplugged
Moleculer is installed from npm into target/tools (it needs Node 22), chitchat and foca are built from crates.io into
target/peers. Serf is Debian's package serf. What cannot be installed is a row "not installed".

  --only NAME   one of ${KINDS.map(({ name }) => name).join(', ')};
                several times for several. Other results in FILE stay if they had the same options and machine
  --servers N   default: 12
  --repeat N    how often each fault happens, default: 9. One that takes over ${LIMIT / 1000} s twice is not tried again
  --seconds N   how long to measure what is idle and busy, default: 60
  --file FILE   default: docs/peers/measured.json, which the report shows
  --report      write peers.md and its plots from FILE, without measuring
  --out DIR     where to, default: docs
  --help        show this text

Exit code: 1 if there are no network namespaces or a measurement ended early; 2 if an option is not valid.
`;

const DOCS = join(ROOT, 'docs');

/** @typedef {import('./measure.js').Options} Options */
/**
 * `load`: the load average when the run began.
 * @typedef {{ cpu: string, cores: number, memory: number, node: string, system: string, load?: number }} Machine
 */
/**
 * @typedef {object} Measured
 * @property {Machine} machine
 * @property {Options} options
 * @property {number} bare memory in bytes of the Express program of ours that has not started the package
 * @property {import('./measure.js').Result[]} results
 */

/** @returns {Machine} */
function machine() {
  const all = cpus();
  const [cpu, system] = [String(all[0]?.model).trim(), `${type()} ${release()}, ${process.arch}`];
  return {
    cpu,
    cores: all.length,
    memory: totalmem(),
    node: process.version,
    system,
    load: Number(loadavg()[0]?.toFixed(1)),
  };
}

async function bareMemory() {
  const { child } = await startServer(scope, { env: { TEST_START: 'no' } });
  await sleep(5_000);
  const bytes = memoryOf(Number(child?.pid));
  await close();
  return bytes;
}

/** @param {string} file @returns {Measured} */
const load = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** @param {string} file @param {Measured} measured */
function save(file, measured) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(measured, undefined, 2)}\n`);
}

/** @param {string[]} only @param {Options} options @param {string} file */
async function measureAll(only, options, file) {
  if (missing) throw new Error(String(missing));
  cleanUpAtExit();
  const on = machine();
  // Not in the tests, which run this file without npm: other tests have loaded the addon, so it must not be replaced.
  if (process.env.npm_lifecycle_event === 'bench') build();
  /** @type {Measured} */
  const measured = { machine: on, options, bare: await bareMemory(), results: [] };
  const kept = only.length > 0 && existsSync(file) ? load(file) : undefined;
  const conditions = (/** @type {Measured} */ it) => ({ ...it.machine, load: undefined, ...it.options });
  // Results of other options, or of another machine, do not compare.
  if (kept && isDeepStrictEqual(conditions(kept), conditions(measured))) measured.results = kept.results;
  for (const kind of KINDS) {
    if (only.length > 0 && !only.includes(kind.name)) continue;
    const result = await measure(kind, options);
    const others = measured.results.filter(({ name }) => name !== kind.name);
    const order = KINDS.map(({ name }) => name);
    measured.results = [...others, result].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
    save(file, measured);
    if (result.failure) process.exitCode = 1;
  }
  progress('');
  console.log(`${table(times(measured))}\n\n${table(costs(measured))}`);
}

/** @param {string} file @param {string} out */
function report(file, out) {
  const measured = load(file);
  const drawn = plots(measured);
  mkdirSync(join(out, 'peers'), { recursive: true });
  for (const { name, svg } of drawn) writeFileSync(join(out, 'peers', `${name}.svg`), svg);
  writeFileSync(join(out, 'peers.md'), document(measured, drawn));
}

/** @type {import('../../shared/command.js').Command<{ only: string[], report: boolean, file: string, out: string, options: Options }>} */
const command = {
  name: 'bench -- peers',
  help: HELP,
  options: {
    only: { type: 'string', multiple: true, default: [] },
    servers: { type: 'string', default: '12' },
    repeat: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '60' },
    file: { type: 'string', default: join(DOCS, 'peers/measured.json') },
    report: { type: 'boolean', default: false },
    out: { type: 'string', default: DOCS },
  },
  read({ only, file, out, report, ...numbers }) {
    const unknown = only.find((/** @type {string} */ it) => !KINDS.some(({ name }) => name === it));
    if (unknown !== undefined) throw new Error(`--only takes one of ${KINDS.map(({ name }) => name).join(', ')}`);
    const [servers, repeat, seconds] = [numbers.servers, numbers.repeat, numbers.seconds].map(Number);
    const options = /** @type {Options} */ ({ servers, repeat, seconds });
    for (const [name, least] of /** @type {const} */ ([
      ['servers', 3],
      ['repeat', 1],
      ['seconds', 1],
    ])) {
      if (!Number.isInteger(options[name]) || options[name] < least)
        throw new Error(`--${name} takes a number, ${least} at least`);
    }
    return { only, report, file: resolve(file), out: resolve(out), options };
  },
  async main({ only, report: isReport, file, out, options }) {
    if (isReport) report(file, out);
    else await measureAll(only, options, file);
  },
};

module.exports = { command };
