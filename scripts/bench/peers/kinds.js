'use strict';

// The membership programs that are compared: how each is installed, set up, started, and how one of its servers leaves or
// exits.

const { spawnSync } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

const { ROOT } = require('../../shared/cargo.js');
const { watching } = require('../death.js');
const { Cluster } = require('../processes/cluster.js');
const { startAgents } = require('./agents.js');

const PORT = 3000;
const MOLECULER = join(ROOT, 'target/tools/moleculer');
/** Needs Node 22. */
const MOLECULER_VERSION = '0.15.2';
const CRATE = join(ROOT, 'benches/peers');
const BINARIES = join(ROOT, 'target/peers');

/** @typedef {import('../../../harness/cluster.js').Place} Place */
/** @typedef {import('../processes/cluster.js').Server} Server */
/** @typedef {InstanceType<typeof Cluster>} AnyCluster */
/**
 * @typedef {object} Kind
 * @property {string} name for `--only`
 * @property {string} who in tables
 * @property {string} settings
 * @property {() => string | undefined} install returns the version, undefined if it cannot be installed
 * @property {(places: Place[]) => Promise<AnyCluster>} start resolves when all list each other
 * @property {number} [spread] ms: a fault comes at any time within it, so that its intervals do not decide. 2 s if left out
 * @property {number} [warmUp] ms before each fault, if a restart of a server makes the others slower for a while
 * @property {(victim: Server) => unknown} exit ends the process without a leave
 * @property {(victim: Server) => unknown} leave leaves the cluster, then ends the process
 */

/** @param {number} interval in s @returns {Kind} */
const ours = (interval) => ({
  name: `ours-${interval}`,
  who: `clustershazbot, ${interval} s`,
  settings: `SHAZBOT_GOSSIP_INTERVAL=${interval}${interval === 30 ? ', the default' : ''}; a master list in a file; Express`,
  spread: Math.max(2, interval) * 1000,
  install: () => JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version,
  async start(places) {
    const cluster = new Cluster(interval);
    cluster.servers = await Promise.all(places.map((place) => cluster.start(PORT, {}, place)));
    await cluster.found();
    await watching(cluster);
    return cluster;
  },
  // The process ends before it can answer the order.
  exit: (victim) => victim.order('exit').catch(() => {}),
  leave: (victim) => victim.signal('SIGTERM'),
});

/** @type {Kind} */
const serf = {
  name: 'serf',
  who: 'Serf',
  settings:
    'serf agent -profile=lan (the default), -retry-join of two agents, -retry-interval=1s. Debian 12; the newest is 0.10.4',
  install() {
    const { stdout, error } = spawnSync('serf', ['version'], { encoding: 'utf8' });
    if (error) return undefined;
    // Debian's build does not know its own version.
    const debian = spawnSync('dpkg-query', ['--show', 'serf'], { encoding: 'utf8' }).stdout ?? '';
    return debian.split('\t')[1]?.trim() ?? /v?(\d\S*)/.exec(stdout)?.[1];
  },
  start: (places) =>
    startAgents(places, {
      command: (host, hosts) => [
        ...['serf', 'agent', `-node=${host}`, `-bind=${host}:7946`, '-profile=lan'],
        ...seeds(host, hosts).map((seed) => `-retry-join=${seed}:7946`),
        '-retry-interval=1s',
      ],
      event: /serf: EventMember(Join|Failed|Leave): (\S+) /,
      online: 'Join',
    }),
  // Serf leaves on SIGINT, and not on SIGTERM.
  exit: (victim) => victim.signal('SIGTERM'),
  leave: (victim) => victim.signal('SIGINT'),
};

/**
 * A program that prints `online HOST` and `offline HOST`, and takes orders on its standard input.
 *
 * @param {Pick<Kind, 'name' | 'who' | 'settings' | 'install'>} kind
 * @param {(host: string, hosts: string[]) => string[]} command
 * @returns {Kind}
 */
const printing = (kind, command) => ({
  ...kind,
  start: (places) => startAgents(places, { command, event: /^(online|offline) (\S+)$/, online: 'online' }),
  exit: (victim) => victim.order('exit'),
  leave: (victim) => victim.order('leave'),
});

const moleculer = printing(
  {
    name: 'moleculer',
    who: 'Moleculer, TCP',
    settings: 'transporter TCP with its defaults (gossipPeriod 2 s), urls of all brokers, no UDP discovery',
    install() {
      const manifest = join(MOLECULER, 'node_modules/moleculer/package.json');
      if (!existsSync(manifest)) {
        const args = ['install', '--no-audit', '--no-fund', '--no-save', '--prefix', MOLECULER];
        quietly('npm', [...args, `moleculer@${MOLECULER_VERSION}`]);
      }
      return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : undefined;
    },
  },
  (host, hosts) => [
    ...[process.execPath, join(__dirname, 'moleculer.js'), join(MOLECULER, 'node_modules/moleculer')],
    ...[host, ...hosts],
  ],
);

/** @param {string} name @param {string} settings */
const crate = (name, settings) =>
  printing({ name, who: name, settings, install: () => installCrate(name) }, (host, hosts) => [
    ...[join(BINARIES, 'release', name), host, String(hosts.length)],
    ...seeds(host, hosts),
  ]);

/** @param {string} name */
function installCrate(name) {
  const args = ['build', '--quiet', '--release', '--locked', '--target-dir', BINARIES];
  if (!quietly('cargo', [...args, '--manifest-path', join(CRATE, 'Cargo.toml')])) return undefined;
  const lock = readFileSync(join(CRATE, 'Cargo.lock'), 'utf8');
  return new RegExp(`name = "${name}"\nversion = "(.+)"`).exec(lock)?.[1];
}

/** Two servers to contact first. @param {string} host @param {string[]} hosts */
const seeds = (host, hosts) => hosts.filter((it) => it !== host).slice(0, 2);

/** Its output goes to standard error, because standard output has the results. @param {string} command @param {string[]} args */
const quietly = (command, args) =>
  spawnSync(command, args, { stdio: ['ignore', process.stderr, 'inherit'] }).status === 0;

/** @type {Kind[]} */
const KINDS = [
  ...[30, 2, 0.5].map(ours),
  serf,
  moleculer,
  {
    ...crate(
      'chitchat',
      'gossip interval 500 ms as in its test server (Quickwit has 1 s), default failure detector, protocol V1',
    ),
    // A server that starts has learnt no intervals, and takes 10 to 15 s for the first faults.
    warmUp: 60_000,
  },
  crate('foca', 'Config::new_lan of the number of servers, over UDP'),
];

module.exports = { KINDS };
