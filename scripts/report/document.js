'use strict';

// Writes docs/convergence.md.

const { count } = require('../shared/text.js');

/** @typedef {import('./plots.js').Figure} Figure */
/** @typedef {InstanceType<typeof import('./simulator.js').Results>} Results */

/**
 * @param {Results} results
 * @param {Figure[]} figures
 * @param {ReturnType<typeof import('./targets.js').targets>} targets
 * @returns {string} Markdown
 */
function document(results, figures, targets) {
  const shown = (/** @type {string} */ name) => {
    const figure = figures.find((it) => it.name === name);
    if (!figure) throw new Error(`there is no plot named ${name}`);
    return show(figure);
  };
  const seeds = results.list.reduce((sum, { run }) => sum + run.seeds, 0);
  const largest = Math.max(...results.list.map(({ run }) => run.n));
  return `# How long until all know

<!-- Written by \`npm run report\`. Change scripts/report/, not this file. -->

How long it takes until every server's list is right, for clusters from 3 to ${count(largest)} servers, beside version 1.
All times on this page are **simulated time**: ${count(seeds)} runs in ${count(results.list.length)} groups, by one command:

\`\`\`sh
npm run report
\`\`\`

The same source gives the same page, byte for byte.

## What is simulated, and what is not

Every server runs the real core: the code that decides in production whom to ask, when, and what to believe. The rest is
a model: virtual clocks; a network in which a message takes 1 to 50 ms and is lost only where a scenario says so; a store
for the master list. A cluster is settled before anything happens to it; above 300 servers it is made settled, not grown.

Not simulated: CPU time, the event loop of a busy program, Node, HTTP, TLS, kernels and their time-outs, and latency
beyond 50 ms. Bytes are those of the bodies and of typical HTTP headers. \`npm run bench -- processes\` measures real
processes on one machine.

Version 1 is a model too, written from its code, with its defects. It is run up to 300 servers, and given up after 6 h
of simulated time; ours after 4 h. What did not come by then is shown as "> 6 h" or ▲, and counts in every percentile.

- The gossip interval is 30 s, the default, unless said.
- "All" means every live server's list. A seed decides everything that is random in a run.
- p50 and p99 are over seeds. Of fewer than 100 seeds the p99 is the slowest one; of very few it says little.

## A server is killed

${shown('killed')}

Version 1 is shown without its master list, which favours it: with the list it never settles, because each announce
brings dead servers back. Even without, a server that has not heard yet revives the dead one in the lists of those that
have. The time ends when all lists are right for the first time; those of version 1 may become wrong again.

## What a server says of itself

${shown('said')}

Joining, leaving, draining and denying a death are a server's own word: nobody has to find out, the news only has to
spread. "Join" ends when all others list the new server. A false death that nobody listed has no time: among 3 servers
all look before they list it.

## A server hangs

${shown('hung')}

A process that stands still keeps its port: connections are accepted and nothing answers. Only a time-out tells, and a
second opinion after it.

## Exchanges are lost

${shown('loss')}

A false death is a live server that any list calls offline; one that spreads counts once. The axis has decades, so that
"none" is its lowest line: none in all hours simulated, which does not mean never. Version 1 calls a server dead after
two lost exchanges in a row, each time on its own account.

## A network is cut in halves

${shown('partition')}

Small clusters of version 1 do not heal: each side has forgotten the other, and there is nobody left to ask. Larger ones
do heal, by the defect that revives the dead: in an hour not every list has forgotten every server of the other side.
On the way it calls live servers dead on their own side, which the second table below counts.

## What it costs

${shown('idle')}

A message of version 1 carries the whole list, so that its cost grows with the cluster; ours does not. In a small cluster
ours costs more.

## Against the targets

${targets.missed === 0 ? `All ${targets.all} rows hold.` : `${targets.missed} of ${targets.all} rows miss their target; what misses is bold.`} Where a target is for real processes, this is the simulated counterpart.
With few seeds a percentile is rough: \`npm run sim -- --check\` decides.

${targets.timed}

Time in seconds until all know. "v1/ours" compares the medians. Version 1 is run without master list, but where a new
server needs it to find the others: when one joins, and when one cannot be reached.

${targets.counted}

Not here, because no scenario has them: concurrent writers of the master list and dead entries in it, CPU time, memory
and sizes. Tests and benchmarks have those.

## To see one run again

A run is a seed. Every group above has the seeds from 0 on; its command is given with its plot. \`--seed K\` runs one alone,
and the slowest is named by the simulator itself:

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
