'use strict';

// Writes docs/peers.md from what was measured.

const { percentile } = require('../../shared/statistics.js');
const { figure, markdown } = require('../../shared/text.js');
const { LIMIT } = require('../processes/cluster.js');
const { FAULTS } = require('./measure.js');
const { strengths } = require('./strengths.js');

/** @typedef {import('./index.js').Measured} Measured */
/** @typedef {import('./measure.js').Result} Result */

const HEAD = ['median / worst, s', ...FAULTS, 'false deaths', 'idle, B/s', 'packets/s', 'CPU', 'memory, MB'];

/** @param {(number | null)[]} [times] in ms */
function timesText(times = []) {
  if (times.length === 0) return '–';
  const all = times.map((ms) => (ms === null ? Number.POSITIVE_INFINITY : ms / 1000));
  const [median, worst] = [percentile(all, 0.5), Math.max(...all)].map((seconds) =>
    Number.isFinite(seconds) ? figure(seconds) : `> ${LIMIT / 1000}`,
  );
  return median === worst ? String(median) : `${median} / ${worst}`;
}

/** @param {Measured} measured @returns {string[][]} a table with its head */
function rows({ results }) {
  return [
    HEAD,
    ...results.map(({ who, version, times, idle, falseDeaths }) => {
      if (version === undefined) return [who, 'not installed', ...HEAD.slice(2).map(() => '')];
      const cost = idle && [
        ...[figure(idle.bytes), figure(idle.packets)],
        ...[`${figure(100 * idle.cpu)} %`, figure(idle.memory / 1e6)],
      ];
      return [
        who,
        ...FAULTS.map((fault) => timesText(times[fault])),
        falseDeaths === undefined ? '–' : String(falseDeaths),
        ...(cost ?? ['–', '–', '–', '–']),
      ];
    }),
  ];
}

/** @param {Measured} measured @param {import('./plots.js').Figure[]} figures @returns {string} Markdown */
function document(measured, figures) {
  const { machine, options, bare, results } = measured;
  const [head = [], ...body] = rows(measured);
  const failures = results.filter(({ failure }) => failure);
  return `# Beside other membership programs

<!-- Written by \`npm run bench -- peers --report\`. Change scripts/bench/peers/, not this file. -->

How soon ${options.servers} servers know of a fault, and what that costs while nothing happens, beside four programs for the same
purpose. All were measured with the same faults, one after the other, by one command:

\`\`\`sh
npm run bench -- peers --repeat ${options.repeat} --seconds ${options.seconds}  # measures
npm run bench -- peers --report  # writes this page
\`\`\`

on ${machine.cores} cores of ${machine.cpu}, ${figure(machine.memory / 2 ** 30)} GiB, Node ${machine.node}, ${machine.system}. The network is that of one
machine: without latency and without loss. ${machine.load === undefined ? 'How busy the machine was otherwise was not recorded' : `The load average was ${machine.load} when the run began`}.

## Results

${markdown(head, body)}
${failures.map(({ who, failure }) => `\n${who}: the measurement ended early, because ${failure}\n`).join('')}
- **Times** are from the fault until the last other server lists the victim offline: median and worst of ${options.repeat}, in seconds,
  one fault at a time. "> ${LIMIT / 1000}": not within ${LIMIT / 1000} s. After two such times the fault is not tried again.
- **killed**: SIGKILL. **exits**: the process exits without a leave. **left**: the server leaves as its documentation says.
  **hung**: SIGSTOP. **gone**: the host's network is unplugged, so that nobody refuses a connection.
- chitchat's protocol has no leave: its server stops. Moleculer's TCP transporter has no heartbeats: it notices connections
  that end or are refused.
- **False deaths**: how often a server listed a living one offline while a busy loop took one of the ${machine.cores} cores for ${options.seconds} s.
- **Idle**, of each server: bytes and packets sent a second, with Ethernet, IP, UDP and TCP headers; CPU time as a share of a
  core; resident memory of the process. Serf, chitchat and foca are native programs that do nothing else. Ours and Moleculer are
  part of the program that they serve: the Express program of ours has ${figure(bare / 1e6)} MB before it starts the package.

${figures.map(({ name, title }) => `![${title}](peers/${name}.svg)`).join('\n\n')}

## Versions and settings

${markdown(
  ['program', 'version', 'settings'],
  results.map(({ who, version = 'not installed', settings }) => [who, version, settings]),
)}

chitchat and foca are libraries. The programs around them are in [benches/peers](../benches/peers), the one around
Moleculer in [scripts/bench/peers](../scripts/bench/peers/moleculer.js). Each server has an address of its own and knows two
others at its start; those of Moleculer have the list of all, ours a master list.

## What each does better

${strengths}`;
}

module.exports = { document, rows };
