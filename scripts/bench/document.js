'use strict';

// The text of docs/performance.md.

const { count, figure, markdown } = require('../shared/text.js');

/** @typedef {{ cpu: string, cores: number, memory: number, node: string, system: string }} Machine */
/**
 * @typedef {import('./measure.js').Results & { machine: Machine, targets: import('./targets.js').Outcome[] }} Measured
 */
/** @typedef {import('./figures.js').Figure} Figure */
/** @typedef {[what: string, of: string, µs: number | undefined]} Part `of`: where that time goes */

/** The size that parts are shown for. */
const N = 1_000;

/** @param {Measured} measured @param {Figure[]} figures @returns {string} Markdown */
function document(measured, figures) {
  const { machine, rows, targets } = measured;
  const missed = targets.filter(({ met }) => !met);
  const shown = (/** @type {string} */ name) => {
    const found = figures.find((it) => it.name === name);
    if (!found) throw new Error(`there is no plot ${name}`);
    return show(found);
  };
  return `# What it costs

<!-- Written by \`npm run bench -- --report\`. Change scripts/bench/, not this file. -->

What the package costs the program that it runs in, beside the same work done by version 1. Made by one command:

\`\`\`sh
npm run bench -- --report
\`\`\`

on ${machine.cores} cores of ${machine.cpu}, ${figure(machine.memory / 2 ** 30)} GiB, Node ${machine.node}, ${machine.system}. Times differ from machine
to machine; the ratios, of things measured in one run, hardly do. \`npm run bench -- --check\` fails where a target is missed.

## How it is measured

- **Version 1** is [a plain JavaScript implementation](../scripts/bench/baseline.js) of what version 1 does, as fast as that
  can be made: its lists are arrays that it hands out as they are, it checks nothing. The tests hold it to version 1's rules.
- **Times** are those for which a thread had a core. "Event loop" is the thread of JavaScript; "CPU" is all threads of the
  process. Median of many rounds, in which ours and version 1 take turns in an order that is drawn anew each time.
- **A cluster of N** has N servers online, and a tenth as many that left and are still remembered.
- **Between ours**: the message that a second server in fact sends, with a newer stamp of itself and of 48 others each time. The
  answer is looked at: it ends the exchange.
- **With a version 1 peer**: its whole list, in an order of its own, with a newer stamp of every server in each message.
- **After news**: an exchange has brought newer stamps since the list was last asked for, as is usual; the time is that of the
  list alone.
- **Outbound**: with another process, over HTTP. Of ours what the event loop does anyway is subtracted.
- **Memory** is that of the whole process, less that of the same Express program without the package that was sent the same requests.

## Against the targets

${missed.length === 0 ? `All ${targets.length} are met.` : `${missed.length} of ${targets.length} are missed.`}

${markdown(
  ['what', 'target', 'measured', ''],
  targets.map(({ what, target, shown, met }) => [what, target, shown, met ? 'met' : '**missed**']),
)}

${missed.map(({ what, limit = 'see the last part of this page' }) => `- Missed: ${what}. What limits it: ${limit}.`).join('\n')}

Idle bytes are those of six exchanges an interval of 30 s, which is what a server begins and answers in a large cluster that is
quiet, counted on its sockets; the simulator counts the exchanges too, see [convergence.md](convergence.md).

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
  rows.map(({ what, n, ours, baseline }) => [
    what,
    n === undefined ? '–' : count(n),
    figure(ours.eventLoop),
    figure(baseline.eventLoop),
    figure(ours.eventLoop / baseline.eventLoop),
    figure(ours.cpu),
    figure(baseline.cpu),
    ours.bytes === undefined ? '–' : count(Math.round(ours.bytes)),
    baseline.bytes === undefined ? '–' : count(Math.round(baseline.bytes)),
  ]),
)}

## What limits it

${limits(measured)}
`;
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
  return `${figure((fixed ?? 0) / 1e6)} MB are there whatever the cluster: pages of the addon, and of Node itself that loading it touches, and the engine's
thread. Each server that is known adds ${count(Math.round(each))} bytes: in the core, in the list that JavaScript keeps, and in the room that
V8 takes for the objects of a list. The figures vary by a megabyte from run to run, with what V8 keeps in reserve.`;
}

/** @param {Measured} measured */
function limits({ parts: all, rows }) {
  const parts = all.find(({ n }) => n === N)?.parts;
  if (!parts) return 'Not measured in this run.';
  const time = (/** @type {string} */ name) => parts[name]?.eventLoop ?? 0;
  const whole = (/** @type {string} */ what) => rows.find((row) => row.what === what && row.n === N)?.ours.eventLoop;
  const nothing = time('nothing, native');
  const old = time('gossip of old stamps, native');
  return `Each part alone, again and again, at ${count(N)} servers, in µs of the event loop. A call into the addon that does nothing
takes ${figure(nothing)} µs.

**An exchange between ours.** A request to an Express route that answers nothing in particular takes ${figure(time('request, bare'))} µs, and
the same with the package ${figure(time('request, ours'))} µs: Express, HTTP and Node are nearly all of it.

${breakdown(whole('inbound exchange between ours'), [
  ['`JSON.parse`', 'JSON', time('parse, ours')],
  ['comparison of the secret', 'native', time('secret')],
  ['the exchange: one string in, one out', 'core', time('exchange, native')],
  ['`JSON.stringify`', 'JSON', time('stringify, ours')],
])}

**A full message of a version 1 peer.** The whole request takes ${figure(time('request, full'))} µs; with version 1 in the place of the package
${figure(time('request, baseline'))} µs.

${breakdown(whole('inbound exchange with a version 1 peer'), [
  ['`JSON.parse`', 'JSON', time('parse, full')],
  ['comparison of the secret', 'native', time('secret')],
  ['packing', 'boundary', time('pack')],
  ['reading it, looking every server up, making the answer', 'boundary and core', old],
  ['taking newer stamps', 'core', time('gossip, native') - old],
  ['unpacking the answer', 'boundary', time('unpack')],
  ['`JSON.stringify`', 'JSON', time('stringify, full')],
])}

**The list**, asked for with the offline servers, after news.

${breakdown(whole('shazbotListRequest, offline too, after news'), [
  ['comparison of the secret', 'native', time('secret')],
  ['fetching the stamps', 'boundary and core', time('stamps, native')],
  ['making the objects', 'boundary', time('objects')],
  ['`JSON.stringify`', 'JSON', time('stringify, full')],
])}`;
}

/** @param {number | undefined} whole @param {Part[]} parts */
function breakdown(whole, parts) {
  const sum = parts.reduce((all, [, , time]) => all + (time ?? 0), 0);
  const total = Math.max(whole ?? 0, sum);
  const rest = total - sum;
  const share = (/** @type {number} */ time) => `${Math.round((100 * time) / total)} %`;
  const shown = parts.map(([what, of, time = 0]) => [what, of, figure(time), share(time)]);
  return markdown(
    ['part', 'of', 'µs', 'share'],
    [
      ...shown,
      ['the rest: waiting for memory, garbage, promises', '', figure(rest), share(rest)],
      ['all', '', figure(total), ''],
    ],
  );
}

module.exports = { document };
