'use strict';

// Measures on real Express processes at the default interval how long it takes until all know that a process has ended.

const { certificates } = require('../../harness/certificates.js');
const { until } = require('../../harness/until.js');
const { Cluster, LIMIT } = require('./processes/cluster.js');
const { printRows } = require('./processes/rows.js');
const { ended } = require('./processes/twelve.js');
const { close } = require('./scope.js');

const SERVERS = 12;
/** The default, s. */
const INTERVAL = 30;
const TARGET = 'median ≤ 1.5 s, worst ≤ 3 s';

const HELP = `npm run bench -- death [--json --only http|https --repeat N]

Builds the addon, starts ${SERVERS} Express servers on this machine at the default interval of ${INTERVAL} s, ends one process at a
time without a leave, and measures how long it takes until all others list it offline, over http and over https:
  killed    by SIGKILL, which the kernel's OOM killer sends too
  exits     calls process.exit()
  throws    ends by an uncaught exception

  --json             print every time measured, in ms
  --only http|https  one of the two
  --repeat N         how often to measure each, default: 9 times
  --help             show this text

With nine times, the 99th percentile is the worst. A time over ${LIMIT / 1000} s is shown as "> ${LIMIT / 1000} s".
Exit code: 0 if everything was measured, whether or not it meets the targets; 1 if a cluster did not come to rest;
2 if an option is not valid.
`;

/** @typedef {import('./processes/cluster.js').Server} Server */

/** @type {Record<string, (victim: Server) => unknown>} */
const ENDS = {
  killed: (victim) => victim.signal('SIGKILL'),
  // The process ends before it can answer the order.
  exits: (victim) => victim.order('exit').catch(() => {}),
  throws: (victim) => victim.order('throw'),
};

/**
 * @param {InstanceType<typeof import('./processes/rows.js').Rows>} rows
 * @param {string} scheme
 * @param {number} repeat
 */
async function measureScheme(rows, scheme, repeat) {
  for (const [what, end] of Object.entries(ENDS)) {
    const cluster = await start(scheme);
    const kind = { servers: SERVERS, interval: INTERVAL, target: TARGET };
    // Each server only once: one that has just restarted is not yet watched.
    await rows.measure(`${what}, ${scheme}`, kind, repeat, (n) =>
      ended(cluster, /** @type {Server} */ (cluster.servers[n % SERVERS]), end),
    );
    await close();
  }
}

/** @param {string} scheme */
async function start(scheme) {
  const { directory, authority } = certificates();
  const tls = { TEST_TLS: directory, NODE_EXTRA_CA_CERTS: authority };
  const cluster = new Cluster(INTERVAL, scheme === 'https' ? { env: tls } : {});
  await cluster.fill(SERVERS);
  await watching(cluster);
  return cluster;
}

/** Waits until every server watches others. @param {InstanceType<typeof Cluster>} cluster */
async function watching({ servers }) {
  for (const server of servers) {
    const open = async () => (await server.order('call', 'shazbotStatus')).exchanges.watches.open;
    await until(async () => (await open()) >= 2, {
      timeout: LIMIT,
      every: 200,
      what: 'every server watches two others',
    });
  }
}

/** @param {{ json: boolean, only?: string, repeat: number }} options */
async function main({ json, only, repeat }) {
  await printRows(json, async (rows) => {
    for (const scheme of only ? [only] : ['http', 'https']) await measureScheme(rows, scheme, repeat);
  });
}

/** @type {import('../shared/command.js').Command<Parameters<typeof main>[0]>} */
const command = {
  name: 'bench -- death',
  help: HELP,
  options: { json: { type: 'boolean' }, only: { type: 'string' }, repeat: { type: 'string' } },
  read({ json = false, only, repeat = '9' }) {
    if (only !== undefined && !['http', 'https'].includes(only)) throw new Error('--only takes http or https');
    if (!(Number(repeat) >= 1)) throw new Error('--repeat takes a number, 1 at least');
    return { json, only, repeat: Number(repeat) };
  },
  main,
};

module.exports = { command, watching };
