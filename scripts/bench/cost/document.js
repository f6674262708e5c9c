'use strict';

// Writes docs/performance.md.

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
    if (!found) throw new Error(`there is no plot named ${name}`);
    return show(found);
  };
  return `# What it costs

<!-- Written by \`npm run bench -- --report\`. Change scripts/bench/, not this file. -->

What the package costs the program that it runs in, beside the same work done by version 1. Made by one command:

\`\`\`sh
npm run bench -- --report
\`\`\`

on ${machine.cores} cores of ${machine.cpu}, ${figure(machine.memory / 2 ** 30)} GiB, Node ${machine.node}, ${machine.system}. Times differ from machine
to machine; ratios from process to process, so that of each the median is given with the lowest and the highest in brackets.
\`npm run bench -- --check\` fails where a target is missed by the median.

## How it is measured

- **Version 1** is [a plain JavaScript implementation](../scripts/bench/cost/baseline.js) of what version 1 does, as fast as that
  can be made: its lists are arrays that it hands out as they are, it checks nothing. The tests hold it to version 1's rules.
- **Times** of the event loop are ${machine.isOnCore ? 'those for which its thread had a core' : 'as they pass: this system does not tell for how long a thread had a core'}.
  "CPU" is all threads of the process. What it takes to read the clocks is subtracted.
- **The functions** are measured in ${Math.max(0, ...rows.map(({ ratios = [] }) => ratios.length))} processes for each size. In each, ours and version 1 take turns in an order that is drawn
  anew each time; medians of the rounds, and then of the processes.
- **A cluster of N** has N servers online, and a tenth as many that left and are still remembered.
- **Between ours**: the message that a second server in fact sends, with a newer stamp of itself, and ${stamps(measured)} more that go by their place
  in the list, each time. The answer is looked at: it ends the exchange.
- **With a version 1 peer**: its whole list, in an order of its own, with a newer stamp of every server in each message. The work
  is not equal: version 1 answers with its whole list, ours with 90 kB at most. "Answer cut" is said where that was less than all.
- **After news**: an exchange has brought newer stamps since the list was last asked for, as is usual. **After a change**: a
  server has left or come back. The time is that of the list alone.
- **Outbound**: with another process, over HTTP. What the event loop does anyway, which is measured in processes that gossip with
  nobody, is subtracted from ours. "<": less than those differ among each other.
- **Memory** is that of the whole process, less that of the same Express program without the package that was sent the same kind
  of messages: version 1 is sent whole lists of version 1 servers; ours is sent messages of ours and gossips with others, and
  once more is sent the whole lists.

## Against the targets

${missed.length === 0 ? `All ${targets.length} are met.` : `${missed.length} of ${targets.length} are missed.`}

${markdown(
  ['what', 'target', 'measured', ''],
  targets.map(({ what, target, shown, met }) => [what, target, shown, met ? 'met' : '**missed**']),
)}

${missed.map(({ what, limit = 'see [below](#what-limits-it)' }) => `- Missed: ${what}. What limits it: ${limit}.`).join('\n')}

Idle bytes: the lower figure is that of six exchanges an interval of 30 s, three begun and three answered, counted on sockets,
at the size where it is the greatest. The other is the simulator's (\`npm run report\`, [convergence.md](convergence.md)): it
counts the exchanges as well, and takes 490 bytes of headers for each. The larger one is judged. The largest bodies are those of servers with
URLs of 28 to 200 characters.

## A gossip message comes in

${shown('exchange')}

## The list is asked for

${shown('list')}

## Memory

${shown('memory')}

${growth(measured)}

## Everything

Event-loop time and CPU time in µs for one operation, and bytes of the bodies, both ways; of an outbound exchange the headers too.

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

How long ordinary requests take a server that is gossiped with; \`npm run bench -- load --help\` says how that is measured.

${others('load --json', 'load.json', kept.load && tableOf(load.summary(JSON.parse(kept.load))))}

## By the number of offline servers

What answering an exchange costs one of two Express servers; \`npm run bench -- traffic --help\` says how that is measured,
and what "!" is.

${others('traffic --json', 'traffic.json', kept.traffic && tableOf(traffic.summary(JSON.parse(kept.traffic))))}

## The core alone

By the number of servers that it knows, in Rust, with no JavaScript around it.

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
npm run --silent bench -- ${command} > docs/performance/${file}   # the next report shows it
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
  return `${figure((fixed ?? 0) / 1e6)} MB are there whatever the cluster. Each server that is known adds ${count(Math.round(each))} bytes, which are in the core, in the
list that JavaScript keeps, and in the room that V8 takes for the objects of a list; how much is where is not measured. Nor are
the figures more exact than a megabyte or so: they differ from run to run, with what V8 keeps in reserve.`;
}

/** @param {Measured} measured */
function limits({ parts: all }) {
  const parts = all.find(({ n }) => n === N)?.parts;
  if (!parts) return 'Not measured in this run.';
  const time = (/** @type {string} */ name) => parts[name]?.eventLoop ?? 0;
  return `Each part alone, again and again, at ${count(N)} servers, and the whole beside it in the same process, in µs of the event loop. That
is another process than those of the rows above, with less in its memory, and other figures. A call into the addon that does nothing takes ${figure(time('nothing, native'))} µs.

**An exchange between ours.** A request to an Express route that answers nothing in particular takes ${figure(time('request, bare'))} µs, and
the same with the package ${figure(time('request, ours'))} µs: Express, HTTP and Node are nearly all of it.

${breakdown(time('whole, ours'), [
  ['`JSON.parse`', 'JSON', time('parse, ours')],
  ['the exchange: the secret compared, one string in, one out', 'core', time('exchange, native')],
  ['`JSON.stringify`', 'JSON', time('stringify, ours')],
])}

**A full message of a version 1 peer.** The whole request takes ${figure(time('request, full'))} µs; with version 1 in the place of the package
${figure(time('request, baseline'))} µs.

${breakdown(time('whole, full'), [
  ['`JSON.parse`', 'JSON', time('parse, full')],
  ['comparison of the secret', 'native', time('secret')],
  ['packing', 'boundary', time('pack')],
  [
    'reading it, looking every server up, taking newer stamps, making the answer',
    'boundary and core',
    time('gossip, native'),
  ],
  ['unpacking the answer', 'boundary', time('unpack')],
  ['`JSON.stringify`', 'JSON', time('stringify, full')],
])}

**The list**, asked for with the offline servers, after news.

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
