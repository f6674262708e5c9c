'use strict';

// Writes docs/contributors/performance.md.

const load = require('../load/index.js');
const traffic = require('../traffic.js');
const { count, figure, markdown } = require('../../shared/text.js');
const { PARTS: N } = require('./measure.js');
const { nameOf, ratioText, timeOf } = require('./rows.js');

/**
 * @typedef {{ cpu: string, cores: number, memory: number, node: string, system: string, isOnCore: boolean }} Machine `isOnCore`:
 *   whether the system counts the CPU time of a thread
 */
/** @typedef {{ load?: string, traffic?: string, core?: string }} Kept the last output of other benchmarks */
/**
 * @typedef {import('./measure.js').Results & { machine: Machine, targets: import('./targets.js').Outcome[] }} Measured
 */
/** @typedef {import('./plots.js').Figure} Figure */
/** @typedef {[what: string, of: string, µs: number]} Part `of`: what the time is spent on */

/** @param {Measured} measured @param {Figure[]} figures @param {Kept} kept @returns {string} Markdown */
function document(measured, figures, kept) {
  const { machine, rows, targets } = measured;
  const missed = targets.filter(({ met }) => !met);
  const shown = (/** @type {string} */ name) => {
    const found = figures.find((it) => it.name === name);
    if (!found) throw new Error(`no plot is named ${name}`);
    return show(found);
  };
  return `# What it costs

<!-- Written by \`npm run bench -- --report\`. Change scripts/bench/, not this file. -->

What the package costs its program, beside the same work done by version 1. One command makes this page:

\`\`\`sh
npm run bench -- --report
\`\`\`

on ${machine.cores} cores of ${machine.cpu}, ${figure(machine.memory / 2 ** 30)} GiB, Node ${machine.node}, ${machine.system}. Times differ between
machines. Ratios differ between processes: the table has their median, with the lowest and the highest in brackets.
\`npm run bench -- --check\` fails if a median misses its target.

## How it is measured

- **Version 1** is [a plain JavaScript implementation](../../scripts/bench/cost/baseline.js) of version 1, as fast as possible:
  it returns its arrays without copying them, and checks nothing. The tests hold it to version 1's rules.
- **Times** of the event loop are ${machine.isOnCore ? 'CPU times of its thread' : 'wall-clock times: this system does not count the CPU time of a thread'}.
  "CPU" is the time of all threads of the process. The time of reading the clocks is subtracted.
- **The functions** are measured in ${Math.max(0, ...rows.map(({ ratios = [] }) => ratios.length))} processes for each size. In each, ours and version 1 take turns
  in random order. The values are medians of the rounds, and then of the processes.
- **A cluster of N** has N servers online, and N/10 servers that left and are still remembered.
- **Between ours**: the message of a second server, each time with a newer stamp of itself, and ${stamps(measured)} more that go by their
  position in the list. The benchmark checks that the answer ends the exchange.
- **With a version 1 peer**: its whole list, in an order of its own, each time with a newer stamp of every server. The
  work is not equal: version 1 answers with its whole list, ours with 90 kB at most. "Answer cut" marks rows in which 90 kB
  did not hold the whole list.
- **After news**: an exchange has brought newer stamps since the last request for the list, which is the usual case. **After
  a change**: a server has other tags. The time is that of the list alone.
- **Outbound**: with another process, over HTTP. From ours the benchmark subtracts what the event loop does without gossip,
  measured in other processes. "<": less than those processes differ.
- **With tags**: every server online has four tags, 62 bytes of each entry. Version 1 has none.
- **Memory** is that of the whole process, minus that of the same Express program without the package that received the same
  kind of messages. Version 1 receives whole lists of version 1 servers. Ours receives messages of protocol 2 and gossips
  with others; in a second measurement it receives whole lists.

## Against the targets

${missed.length === 0 ? `All ${targets.length} are met.` : `${missed.length} of ${targets.length} are missed.`}

${markdown(
  ['what', 'target', 'measured', ''],
  targets.map(({ what, target, shown, met }) => [what, target, shown, met ? 'met' : '**missed**']),
)}

${missed.map(({ what, limit = 'see [below](#what-limits-it)' }) => `- Missed: ${what}. What limits it: ${limit}.`).join('\n')}

Idle bytes: the lower figure counts six exchanges in an interval of 30 s, three started and three answered, on sockets, at the
size with the highest figure. The other is the simulator's (\`npm run report\`, [convergence.md](convergence.md)), which also
counts the exchanges, with 490 bytes of headers each. The larger one is compared with the target. The largest bodies are
those of servers with URLs of 28 to 200 characters.

## A gossip message comes in

${shown('exchange')}

## The list is asked for

${shown('list')}

## Memory

${shown('memory')}

${growth(measured)}

## Everything

Event-loop time and CPU time of one operation in µs, and the bytes of its bodies both ways; for an outbound exchange including
headers.

${markdown(
  ['what', 'servers', 'event loop', 'version 1', 'ratio', 'CPU', 'version 1', 'bytes', 'version 1'],
  rows.map((row) => [
    nameOf(row),
    row.n === undefined ? '–' : count(row.n),
    timeOf(row.ours),
    timeOf(row.baseline),
    ratioText(row),
    figure(row.ours.cpu),
    figure(row.baseline.cpu),
    row.ours.bytes === undefined ? '–' : count(Math.round(row.ours.bytes)),
    row.baseline.bytes === undefined ? '–' : count(Math.round(row.baseline.bytes)),
  ]),
)}

## What limits it

${limits(measured)}

## Beside ordinary requests

How long ordinary requests take on a server that answers gossip; \`npm run bench -- load --help\` says how this is measured.

${others('load --json', 'load.json', kept.load && tableOf(load.summary(JSON.parse(kept.load))))}

## By the number of offline servers

What answering an exchange costs one of two Express servers; \`npm run bench -- traffic --help\` says how this is
measured, and what "!" means.

${others('traffic --json', 'traffic.json', kept.traffic && tableOf(traffic.summary(JSON.parse(kept.traffic))))}

## The core alone

By the number of servers that it knows, in Rust, without JavaScript.

${others('core', 'core.txt', kept.core && `\`\`\`text\n${kept.core.replace(/[^\S\n]+$/gm, '').trim()}\n\`\`\``)}
`;
}

/**
 * The output of a benchmark that is run by hand.
 *
 * @param {string} command
 * @param {string} file
 * @param {string | undefined} shown
 */
const others = (command, file, shown) => `\`\`\`sh
npm run --silent bench -- ${command} > docs/contributors/performance/${file}   # the next report shows it
\`\`\`

${shown || 'Not measured yet.'}`;

/** @param {string[][]} rows the first is the head */
const tableOf = ([head = [], ...rows]) => markdown(head, rows);

/** The number of stamps sent by position in an idle message. @param {Measured} measured */
function stamps({ bodies }) {
  const counts = [...new Set(bodies.map((one) => one.stamps))];
  return counts.length === 0
    ? 'some'
    : counts.length === 1
      ? counts[0]
      : `${Math.min(...counts)} to ${Math.max(...counts)}`;
}

/** @param {Figure} figure */
const show = ({ name, title, table }) => `![${title}](performance/${name}.svg)

<details><summary>The figures</summary>

${table}

</details>`;

/** @param {Measured} measured */
function growth({ memory }) {
  const [small, large] = [memory[0], memory.at(-1)];
  if (!small || !large || small === large) return '';
  const [fixed, whole] = [small, large].map(({ ours, bare }) => ours - bare);
  // A tenth as many are offline.
  const each = ((whole ?? 0) - (fixed ?? 0)) / ((large.n - small.n) * 1.1);
  return `${figure((fixed ?? 0) / 1e6)} MB do not depend on the cluster. Each known server adds ${count(Math.round(each))} bytes, in the core, in the
list that JavaScript keeps, and in V8's room for the objects of a list; the shares are not measured. The figures differ by
about a megabyte from run to run, with the memory that V8 keeps in reserve.`;
}

/** @param {Measured} measured */
function limits({ parts: all }) {
  const parts = all.find(({ n }) => n === N)?.parts;
  if (!parts) return 'Not measured in this run.';
  const time = (/** @type {string} */ name) => parts[name]?.eventLoop ?? 0;
  return `Each part measured alone, at ${count(N)} servers, and the whole in the same process, in µs of the event loop. This process
has less in its memory than those of the rows above, so its figures differ. A call into the addon that does nothing takes ${figure(time('nothing, native'))} µs.

**An exchange between ours.** A request to a trivial Express route takes ${figure(time('request, bare'))} µs, and
the same with the package ${figure(time('request, ours'))} µs: nearly all of it is Express, HTTP and Node.

${breakdown(time('whole, ours'), [
  ['`JSON.parse`', 'JSON', time('parse, ours')],
  ['the exchange: compares the secret, takes one string, returns one', 'core', time('exchange, native')],
  ['`JSON.stringify`', 'JSON', time('stringify, ours')],
])}

**A full message of a version 1 peer.** The whole request takes ${figure(time('request, full'))} µs; with version 1 instead of the package
${figure(time('request, baseline'))} µs.

${breakdown(time('whole, full'), [
  ['`JSON.parse`', 'JSON', time('parse, full')],
  ['comparison of the secret', 'native', time('secret')],
  ['packing', 'boundary', time('pack')],
  [
    'reading the message, looking up each server, taking newer stamps, making the answer',
    'boundary and core',
    time('gossip, native'),
  ],
  ['unpacking the answer', 'boundary', time('unpack')],
  ['`JSON.stringify`', 'JSON', time('stringify, full')],
])}

**The list** with the offline servers, after news.

${breakdown(time('whole, list'), [
  ['comparison of the secret', 'native', time('secret')],
  ['fetching the stamps', 'boundary and core', time('stamps, native')],
  ['making the objects', 'boundary', time('objects')],
  ['`JSON.stringify`', 'JSON', time('stringify, list')],
])}`;
}

/** @param {number} whole @param {Part[]} parts */
function breakdown(whole, parts) {
  const rest = whole - parts.reduce((all, [, , time]) => all + time, 0);
  const shown = (/** @type {number} */ time) =>
    time > 0 ? [figure(time), `${Math.round((100 * time) / whole)} %`] : ['< noise', '–'];
  return markdown(
    ['part', 'of', 'µs', 'share'],
    [
      ...parts.map(([what, of, time]) => [what, of, ...shown(time)]),
      ['not accounted for', '', ...shown(rest)],
      ['all', '', figure(whole), ''],
    ],
  );
}

module.exports = { document };
