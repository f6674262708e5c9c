'use strict';

// Writes docs/peers.md from what was measured.

const { percentile } = require('../../shared/statistics.js');
const { figure, markdown } = require('../../shared/text.js');
const { LIMIT } = require('../processes/cluster.js');
const { FAULTS, LOOPS } = require('./measure.js');
const { conclusion, strengths } = require('./strengths.js');

/** @typedef {import('./index.js').Measured} Measured */
/** @typedef {import('./measure.js').Result} Result */

const HEADS = { killed: 'killed', exits: 'exits', left: 'leaves', hung: 'hangs', gone: 'unplugged' };
const TIMES = ['median / worst, s', ...FAULTS.map((fault) => HEADS[fault])];
const COSTS = ['one idle server', 'bytes/s', 'packets/s', 'CPU', 'memory, MB', 'false deaths'];

/** @param {(number | null)[]} [times] in ms */
function timesText(times = []) {
  if (times.length === 0) return '–';
  const all = times.map((ms) => (ms === null ? Number.POSITIVE_INFINITY : ms / 1000));
  const [median, worst] = [percentile(all, 0.5), Math.max(...all)].map((seconds) =>
    Number.isFinite(seconds) ? figure(seconds) : `> ${LIMIT / 1000}`,
  );
  return median === worst ? String(median) : `${median} / ${worst}`;
}

/** @param {string[]} head @param {string} who */
const missing = (head, who) => [who, 'not installed', ...head.slice(2).map(() => '')];

/** @param {Measured} measured @returns {string[][]} a table with its head */
const times = ({ results }) => [
  TIMES,
  ...results.map(({ who, version, times: of }) =>
    version === undefined ? missing(TIMES, who) : [who, ...FAULTS.map((fault) => timesText(of[fault]))],
  ),
];

/** @param {Measured} measured @returns {string[][]} a table with its head */
const costs = ({ results }) => [
  COSTS,
  ...results.map(({ who, version, idle, falseDeaths }) => {
    if (version === undefined) return missing(COSTS, who);
    const { bytes, packets, cpu, memory } = idle ?? {};
    const cells = [bytes, packets, cpu && 100 * cpu, memory && memory / 1e6, falseDeaths];
    const [sent, count, share, ...rest] = cells.map((value) => (value === undefined ? '–' : figure(value)));
    return [who, String(sent), String(count), idle ? `${share} %` : '–', ...rest];
  }),
];

/** @param {import('./index.js').Machine} machine */
function load({ load: average, cores }) {
  if (average === undefined) return 'How busy the machine was otherwise was not recorded.';
  const doubt = average > cores / 2 ? ': something else ran, so times and CPU time may be a little too high' : '';
  return `The load average was ${average} when the run began${doubt}.`;
}

/** @param {Measured} measured @param {import('./plots.js').Figure[]} figures @returns {string} Markdown */
function document(measured, figures) {
  const { machine, options, bare, results } = measured;
  const [timesHead = [], ...timesBody] = times(measured);
  const [costsHead = [], ...costsBody] = costs(measured);
  const failures = results.filter(({ failure }) => failure);
  return `# Beside other membership programs

<!-- Written by \`npm run bench -- peers --report\`. Change scripts/bench/peers/, not this file. -->

How soon ${options.servers} servers know of a fault, and what that costs while nothing happens: beside Serf, an agent; Moleculer, a
framework for Node; chitchat and foca, libraries in Rust. "Ours" is clustershazbot.

${conclusion}

## Results

- **killed**: SIGKILL. **exits**: the process exits without a leave. **leaves**: as the program's documentation says, or as
  Quickwit does with chitchat: a key takes the server off the lists. **hangs**: SIGSTOP. **unplugged**: the network of the
  host, so that nobody refuses a connection.
- **Times** are from the fault until the last other server lists the victim offline: median and worst of ${options.repeat}, in seconds,
  one fault at a time. "> ${LIMIT / 1000}": not within ${LIMIT / 1000} s. After two such times the fault is not tried again.

${markdown(timesHead, timesBody)}

- **bytes, packets**: sent, with Ethernet, IP, UDP and TCP headers. **CPU**: time as a share of a core. **memory**: of the process.
- **false deaths**: how often a server listed a living one offline while ${LOOPS * machine.cores} busy loops ran on the ${machine.cores} cores for ${options.seconds} s.

${markdown(costsHead, costsBody)}
${failures.map(({ who, failure }) => `\n${who}: the measurement ended early, because ${failure}\n`).join('')}
- Serf, chitchat and foca are native programs that do nothing else. Moleculer's broker has no services and no HTTP server here. Ours
  runs in an Express program, which has ${figure(bare / 1e6)} MB before it starts the package.
- Ours has three rows, the others one each. They can be set to shorter intervals, too: then they find a fault sooner and send
  more. Compare rows with a similar number of bytes.
- Each fault comes at a random time within one gossip interval of clustershazbot; for the others, within 2 s. A server of
  chitchat learns the intervals of the others, and takes 10 to 15 s while it is new. So all had run for a minute before
  each of its faults.
- Moleculer's TCP transporter does not check heartbeats: it notices connections that end or are refused.

${figures.map(({ name, title }) => `![${title}](peers/${name}.svg)`).join('\n\n')}

## What each does better

${strengths}
## Versions and settings

All were measured with the same faults, one after the other, by one command. It needs Linux, root, Rust and Debian's package serf:

\`\`\`sh
npm run bench -- peers --repeat ${options.repeat} --seconds ${options.seconds}  # measures
npm run bench -- peers --report  # writes this page
\`\`\`

This was on ${machine.cores} cores of ${machine.cpu}, ${figure(machine.memory / 2 ** 30)} GiB, Node ${machine.node}, ${machine.system}. The network is that of one machine:
without latency and without loss. ${load(machine)}

${markdown(
  ['program', 'version', 'settings'],
  results.map(({ who, version = 'not installed', settings }) => [who, version, settings]),
  '---',
)}

chitchat and foca are libraries. The programs around them are in [benches/peers](../benches/peers), the one around
Moleculer in [scripts/bench/peers](../scripts/bench/peers/moleculer.js). Each server has an address of its own and knows two
others at its start; those of Moleculer have the list of all, ours a master list.
`;
}

module.exports = { costs, document, times };
