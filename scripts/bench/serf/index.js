'use strict';

// Measures clustershazbot beside HashiCorp's Serf: how long until all know of a change, and what is sent while idle.

const { spawnSync } = require('node:child_process');
const { setTimeout: sleep } = require('node:timers/promises');

const { missing, startLoopback } = require('../../../harness/namespaces.js');
const { progress } = require('../../shared/command.js');
const { percentile } = require('../../shared/statistics.js');
const { table } = require('../../shared/text.js');
const { build } = require('../build.js');
const { watching } = require('../death.js');
const { Cluster, LIMIT } = require('../processes/cluster.js');
const { ended, fault, left } = require('../processes/twelve.js');
const { cleanUpAtExit, close, scope } = require('../scope.js');
const { Agents } = require('./agents.js');

const SERVERS = 12;
/** The default, s. */
const INTERVAL = 30;
/** Time for what follows a start, ms: servers that are new exchange more. */
const SETTLE = 60_000;

const HELP = `npm run bench -- serf [--json --repeat N --seconds N]

Builds the addon, and measures ${SERVERS} Express servers at the default interval and ${SERVERS} Serf agents with the LAN profile, one after
the other, each in an empty network namespace of Linux:
  idle     bytes that a server sends a second while nothing changes, with the headers of the packets
  killed   SIGKILL of one process: how long until all others list it as failed
  left     the same for a server that leaves
  hung     the same for a process that SIGSTOP has stopped

  --json       print every time measured, in ms
  --repeat N   how often to measure each, default: 9 times
  --seconds N  how long to measure the bytes, default: 60
  --help       show this text

Exit code: 1 if Serf is not installed (Debian's package is called serf), if there are no network namespaces, or if a
cluster did not come to rest; 2 if an option is not valid.
`;

/** @typedef {InstanceType<typeof Cluster>} AnyCluster */
/** @typedef {import('../processes/cluster.js').Server} Server */
/** @typedef {{ who: string, idle: number, killed: number[], left: number[], hung: number[] }} Result times in ms */

/**
 * @param {string} who
 * @param {AnyCluster} cluster at rest
 * @param {() => number} sent
 * @param {(cluster: AnyCluster, victim: Server) => Promise<number | undefined>} leave
 * @param {{ repeat: number, seconds: number }} options
 * @returns {Promise<Result>}
 */
async function measure(who, cluster, sent, leave, { repeat, seconds }) {
  progress(`${who}: idle`);
  await sleep(SETTLE);
  const before = sent();
  await sleep(seconds * 1000);
  const idle = (sent() - before) / seconds / SERVERS;
  const victim = (/** @type {number} */ n) => /** @type {Server} */ (cluster.servers[n % SERVERS]);
  const times = async (
    /** @type {string} */ what,
    /** @type {(victim: Server) => Promise<number | undefined>} */ act,
  ) => {
    const all = [];
    for (let n = 0; n < repeat; n++) {
      progress(`${who}, ${what}: ${n + 1} of ${repeat}`);
      all.push((await act(victim(n))) ?? Number.POSITIVE_INFINITY);
    }
    return all;
  };
  const killed = await times('killed', (it) => ended(cluster, it, () => it.signal('SIGKILL')));
  const leaves = await times('left', (it) => leave(cluster, it));
  const hung = await times('hung', (it) =>
    fault(
      cluster,
      it,
      () => it.signal('SIGSTOP'),
      () => it.signal('SIGCONT'),
    ),
  );
  return { who, idle, killed, left: leaves, hung };
}

/** @param {{ repeat: number, seconds: number }} options */
async function measureOurs(options) {
  const { place, sent } = await startLoopback(scope);
  const cluster = new Cluster(INTERVAL, { place });
  await cluster.fill(SERVERS);
  await watching(cluster);
  const result = await measure('clustershazbot', cluster, sent, left, options);
  await close();
  return result;
}

/** @param {string} version @param {{ repeat: number, seconds: number }} options */
async function measureSerf(version, options) {
  const { place, sent } = await startLoopback(scope);
  const agents = new Agents(place);
  await agents.fill(SERVERS);
  // An agent leaves on SIGINT.
  const leave = (/** @type {AnyCluster} */ cluster, /** @type {Server} */ it) =>
    ended(cluster, it, () => it.signal('SIGINT'));
  const result = await measure(`Serf ${version}`, agents, sent, leave, options);
  await close();
  return result;
}

/** @param {Result[]} results */
function summary(results) {
  const shown = (/** @type {number[]} */ times) => {
    const [median, worst] = [percentile(times, 0.5), Math.max(...times)].map((ms) =>
      Number.isFinite(ms) ? (ms / 1000).toFixed(2) : `> ${LIMIT / 1000}`,
    );
    return `${median} / ${worst} s`;
  };
  return table([
    ['median / worst', 'killed', 'left', 'hung', 'idle, a server'],
    ...results.map((it) => [it.who, shown(it.killed), shown(it.left), shown(it.hung), `${it.idle.toFixed(0)} B/s`]),
  ]);
}

/** @type {import('../../shared/command.js').Command<{ json: boolean, repeat: number, seconds: number }>} */
const command = {
  name: 'bench -- serf',
  help: HELP,
  options: { json: { type: 'boolean' }, repeat: { type: 'string' }, seconds: { type: 'string' } },
  read({ json = false, repeat = '9', seconds = '60' }) {
    if (!(Number(repeat) >= 1)) throw new Error('--repeat takes a number, 1 at least');
    if (!(Number(seconds) >= 1)) throw new Error('--seconds takes a number, 1 at least');
    return { json, repeat: Number(repeat), seconds: Number(seconds) };
  },
  async main({ json, ...options }) {
    const { error, stdout } = spawnSync('serf', ['version'], { encoding: 'utf8' });
    if (error) throw new Error('Serf is not installed: Debian has it as the package serf');
    if (missing) throw new Error(String(missing));
    cleanUpAtExit();
    build();
    try {
      const version = /v?(\d\S*)/.exec(stdout)?.[1] ?? '';
      const results = [await measureOurs(options), await measureSerf(version, options)];
      progress('');
      console.log(json ? JSON.stringify(results, undefined, 2) : summary(results));
    } finally {
      await close();
    }
  },
};

module.exports = { command };
