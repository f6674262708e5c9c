'use strict';

// Writes docs/contributors/convergence.md.

const { count } = require('../shared/text.js');

/** @typedef {import('./plots.js').Figure} Figure */
/** @typedef {InstanceType<typeof import('./simulator.js').Results>} Results */

/** The largest cluster that is simulated. */
const ALL = 10_000;

/**
 * @param {Results} results
 * @param {Figure[]} figures
 * @param {ReturnType<typeof import('./targets.js').targets>} targets
 * @returns {string} Markdown
 */
function document(results, figures, targets) {
  const shown = (/** @type {string} */ name) => {
    const figure = figures.find((it) => it.name === name);
    if (!figure) throw new Error(`no plot is named ${name}`);
    return show(figure);
  };
  const seeds = results.list.reduce((sum, { run }) => sum + run.seeds, 0);
  const largest = Math.max(...results.list.map(({ run }) => run.n));
  return `# How long until all know

<!-- Written by \`npm run report\`. Change scripts/report/, not this file. -->

How long it takes until every server's list is right, for clusters from 3 to ${count(largest)} servers, beside version 1.
All times on this page are **simulated time**: ${count(seeds)} runs in ${count(results.list.length)} groups, by one command:

\`\`\`sh
npm run report${largest < ALL ? ` -- --up-to ${largest}` : ''}
\`\`\`

The same source gives the same page, byte for byte.

## What is simulated, and what is not

Every server runs the real core, the code that makes all decisions of the protocol in production. The rest is a model:
virtual clocks; a network in which a message takes 1 to 50 ms and is lost only if a scenario says so; a store for the
master list. Each scenario starts with a settled cluster; above 300 servers the cluster is created settled, not grown.

Not simulated: CPU time, the event loop of a busy program, Node, HTTP, TLS, and latency
over 50 ms. Bytes are those of the bodies and of typical HTTP headers. \`npm run bench -- processes\` measures real
processes on one machine.

Version 1 is a model too, written from its code, with its defects. It runs with up to 300 servers. A run of version 1 is
given up after 6 h of simulated time, a run of ours after 4 h. Such a run is shown as "> 6 h" or ▲, and counts in every
percentile.

- The gossip interval is 30 s, the default, unless noted.
- "All know" means that every live server's list is right. A seed determines everything random in a run.
- p50 and p99 are over seeds. With fewer than 100 seeds the p99 is the slowest seed; with very few it is rough.

## A server is killed

${shown('killed')}

Version 1 is shown without its master list, which favours it: with the list it never settles, because each announce
brings dead servers back. Even without the list, a server that does not know yet revives the dead one in the lists of
those that do. The time ends when all lists are right for the first time; those of version 1 may become wrong again.

## A server joins, leaves, is drained, or refutes its death

${shown('said')}

The server itself reports these changes, so that nobody has to detect them: the update only has to spread. "Join" ends when
all others list the new server. A false death that nobody listed has no time: among 3 servers all verify it before they
list it.

## A server hangs

${shown('hung')}

A stopped process keeps its port: the kernel accepts connections and nothing answers. Only a timeout, and an indirect
probe after it, show that the server hangs.

## Exchanges are lost

${shown('loss')}

A false death is a live server that any list has offline; one that spreads counts once. The axis is logarithmic, so that
"none" is its lowest line: none in all hours simulated, which does not mean never. A server of version 1 declares another
dead after two lost exchanges in a row, without asking others.

## A network is cut in halves

${shown('partition')}

Small clusters of version 1 do not heal: each side has forgotten the other, and knows no server to ask. Larger ones do
heal, by the defect that revives dead servers: in an hour not every list has forgotten every server of the other side.
Meanwhile version 1 lists live servers offline on their own side, which the second table below counts.

## What it costs

${shown('idle')}

A message of version 1 carries the whole list, so its cost grows with the cluster; that of protocol 2 does not. In a small
cluster protocol 2 costs more.

## Against the targets

${targets.missed === 0 ? `All ${targets.all} rows hold.` : `${targets.missed} of ${targets.all} rows miss their target; what misses is bold.`} If a target is for real processes, this table shows its simulated counterpart.
With few seeds a percentile is rough: \`npm run sim -- --check\` decides.

${targets.timed}

Time in seconds until all know. "v1/ours" compares the medians. Version 1 runs without the master list, except in the
scenarios in which a new server needs it to find the others: a join, and a server that cannot be reached.

${targets.counted}

No scenario covers concurrent writers of the master list and dead entries in it, CPU time, memory and sizes. Tests and
benchmarks do.

## Repeating a run

Every group above has the seeds from 0 on; the command of a group stands with its plot. \`--seed K\` runs one seed alone, and
the simulator names the slowest:

\`\`\`sh
npm run sim -- --scenario crash --n 100 --seeds 200            # the group, and which seed was the slowest
npm run sim -- --scenario crash --n 100 --seed 7               # one seed
npm run sim -- --scenario crash --n 100 --seed 7 --v1 1 --no-list   # the same of version 1
\`\`\`

${slowest(results)}
`;
}

/** @param {Figure} figure */
function show({ name, title, commands, table }) {
  return `![${title}](convergence/${name}.svg)

Simulated time. Each point is one of these, with as many seeds as the table says:

\`\`\`sh
${commands.join('\n')}
\`\`\`

<details><summary>The figures</summary>

${table}

</details>`;
}

/** @param {Results} results */
function slowest(results) {
  const lines = results.of({ scenario: 'crash' }).flatMap(({ run, report }) => {
    const { slowestSeed } = report;
    const max = report.seconds?.max;
    if (slowestSeed === null || typeof max !== 'number') return [];
    return [`npm run sim -- --scenario crash --n ${run.n} --seed ${slowestSeed} --no-v1   # ${max.toFixed(1)} s`];
  });
  return `The slowest of each size, when a server is killed:\n\n\`\`\`sh\n${lines.join('\n')}\n\`\`\``;
}

module.exports = { document };
