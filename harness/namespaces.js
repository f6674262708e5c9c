'use strict';

// Makes networks of their own for servers, with Linux's network namespaces: a killed server refuses connections there, and a
// cut link loses packets, as between real machines. Nothing changes on the machine's own network.

const { execFileSync, spawn, spawnSync } = require('node:child_process');

const { until } = require('./until.js');

/** @typedef {import('./cluster.js').Place} Place */

// Users need no rights for this where the system lets them have namespaces. Root may have them everywhere.
const OWN = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
const ENTER = OWN.length === 0 ? ['--net'] : ['--user', '--preserve-credentials', '--net'];
// Addresses of documentation: no network that the machine is in has them.
const SUBNET = '192.0.2';
const HOSTS = /** @type {const} */ ([`${SUBNET}.1`, `${SUBNET}.2`]);

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
const options = { env: { ...process.env, PATH }, stdio: /** @type {const} */ ('pipe') };

const tried = spawnSync('unshare', [...OWN, '--net', 'ip', 'link', 'add', 'name', 'link0', 'type', 'veth'], options);
/** Why there can be no network namespaces here, if so. */
const missing =
  process.env.SHAZBOT_TEST_ALL !== '1' && tried.status !== 0
    ? `no network namespaces: ${String(tried.error?.message ?? tried.stderr).trim()}`
    : false;

/**
 * A network that has a loopback interface only.
 *
 * @param {import('./cluster.js').Scope} scope
 */
async function startLoopback(scope) {
  const network = await hold(scope, ['unshare', ...OWN, '--net']);
  run(network, 'ip', 'link', 'set', 'lo', 'up');
  return {
    place: /** @type {Place} */ ({ host: '127.0.0.1', enter: enter(network) }),
    /** Bytes sent so far, with the headers of the packets. */
    sent: () => Number(/ lo:\s*(?:\d+\s+){8}(\d+)/.exec(run(network, 'cat', '/proc/net/dev'))?.[1]),
  };
}

/**
 * Two networks, joined by one link.
 *
 * @param {import('./cluster.js').Scope} scope
 */
async function startHalves(scope) {
  const left = await hold(scope, ['unshare', ...OWN, '--net']);
  const right = await hold(scope, [...enter(left), 'unshare', '--net']);
  ip(left, 'link', 'add', 'name', 'link0', 'type', 'veth', 'peer', 'name', 'link0', 'netns', String(right));
  for (const [n, pid] of [left, right].entries()) {
    ip(pid, 'address', 'add', `${HOSTS[n]}/24`, 'dev', 'link0');
    for (const device of ['lo', 'link0']) ip(pid, 'link', 'set', device, 'up');
  }
  // Node does not name the addresses of a link that does not work yet.
  for (const pid of [left, right])
    await until(() => ip(pid, 'link', 'show', 'link0').includes('state UP'), { what: 'the link works' });
  /** @returns {Place} */
  const place = (/** @type {number} */ pid, /** @type {string} */ host) => ({ host, enter: enter(pid) });
  return {
    places: /** @type {const} */ ([place(left, HOSTS[0]), place(right, HOSTS[1])]),
    /** Gives the left half one more address, which leads to nobody and which the system names first. @param {string} address */
    addAddress(address) {
      ip(left, 'address', 'del', `${HOSTS[0]}/24`, 'dev', 'link0');
      for (const it of [address, HOSTS[0]]) ip(left, 'address', 'add', `${it}/24`, 'dev', 'link0');
    },
    /** The right half learns that it has no network. What the left half sends is lost, without an error. */
    cut: () => ip(right, 'link', 'set', 'link0', 'down'),
    heal: () => ip(right, 'link', 'set', 'link0', 'up'),
  };
}

/**
 * A network for each of `count` servers, joined by a switch. Without IPv6, which sends packets on its own.
 *
 * @param {import('./cluster.js').Scope} scope
 * @param {number} count
 */
async function startStar(scope, count) {
  const hub = await hold(scope, ['unshare', ...OWN, '--net']);
  for (const bridge of ['hub0', 'hub1']) {
    ip(hub, 'link', 'add', 'name', bridge, 'type', 'bridge');
    ip(hub, 'link', 'set', bridge, 'up');
  }
  ip(hub, 'address', 'add', `${SUBNET}.254/24`, 'dev', 'hub0');
  /** @type {Place[]} */
  const places = [];
  for (let n = 1; n <= count; n++) {
    const network = await hold(scope, [...enter(hub), 'unshare', '--net']);
    const place = { host: `${SUBNET}.${n}`, enter: enter(network) };
    ip(hub, 'link', 'add', 'name', portOf(place), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(network));
    for (const pid of [hub, network]) withoutIpv6(pid);
    ip(network, 'address', 'add', `${place.host}/24`, 'dev', 'eth0');
    for (const device of ['lo', 'eth0']) ip(network, 'link', 'set', device, 'up');
    ip(hub, 'link', 'set', portOf(place), 'master', 'hub0', 'up');
    places.push(place);
  }
  return {
    places,
    /** The network of the switch itself, from which all servers are reached. */
    center: /** @type {Place} */ ({ host: `${SUBNET}.254`, enter: enter(hub) }),
    /** Bytes, with the headers of the packets, and packets that all servers have sent so far. */
    sent() {
      const ports = run(hub, 'cat', '/proc/net/dev').matchAll(/ port\d+:\s*(\d+)\s+(\d+)/g);
      const total = { bytes: 0, packets: 0 };
      for (const [, bytes, packets] of ports) {
        total.bytes += Number(bytes);
        total.packets += Number(packets);
      }
      return total;
    },
    /** Moves a server to the other side of a partition, or back: the center is on the first side. @param {Place} place @param {0 | 1} side */
    move: (place, side) => ip(hub, 'link', 'set', portOf(place), 'master', `hub${side}`),
    /** Packets to and from this server are lost, without an error. @param {Place} place */
    unplug: (place) => ip(hub, 'link', 'set', portOf(place), 'down'),
    /** @param {Place} place */
    plug: (place) => ip(hub, 'link', 'set', portOf(place), 'up'),
  };
}

/** @param {Place} place */
const portOf = ({ host }) => `port${host.slice(SUBNET.length + 1)}`;

/** @param {number} pid of a process in the network */
function withoutIpv6(pid) {
  try {
    run(pid, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6');
  } catch {
    // This kernel has none.
  }
}

/** Runs a command in a network. @param {number} pid of a process in it @param {string[]} args */
function run(pid, ...args) {
  const [command = '', ...before] = enter(pid);
  return execFileSync(command, [...before, ...args], options).toString();
}

/** @param {number} pid @param {string[]} args */
const ip = (pid, ...args) => run(pid, 'ip', ...args);

/** @param {number} pid of a process in the network */
const enter = (pid) => ['nsenter', '--target', String(pid), ...ENTER];

/**
 * Keeps a network: it has no name that could be left behind, and ends with the last process in it.
 *
 * @param {import('./cluster.js').Scope} scope
 * @param {string[]} command that makes it
 * @returns {Promise<number>} pid of a process in it
 */
async function hold(scope, [command = '', ...args]) {
  // cat ends with this process, however that ends.
  const child = spawn(command, [...args, 'cat'], { ...options, stdio: ['pipe', 'pipe', 'inherit'] });
  scope.after(() => child.stdin.end());
  // When cat answers, the network exists.
  child.stdin.write('.');
  await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => reject(new Error(`${command} made no network`)));
    child.stdout.once('data', resolve);
  });
  return /** @type {number} */ (child.pid);
}

module.exports = { missing, startHalves, startLoopback, startStar };
