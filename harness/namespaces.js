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
const HOSTS = /** @type {const} */ (['192.0.2.1', '192.0.2.2']);

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
  const [command = '', ...before] = enter(network);
  const run = (/** @type {string[]} */ ...args) => execFileSync(command, [...before, ...args], options).toString();
  run('ip', 'link', 'set', 'lo', 'up');
  return {
    place: /** @type {Place} */ ({ host: '127.0.0.1', enter: enter(network) }),
    /** Bytes sent so far, with the headers of the packets. */
    sent: () => Number(/ lo:\s*(?:\d+\s+){8}(\d+)/.exec(run('cat', '/proc/net/dev'))?.[1]),
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
  /** @param {number} pid @param {string[]} args */
  const ip = (pid, ...args) => {
    const [command, ...before] = enter(pid);
    return execFileSync(/** @type {string} */ (command), [...before, 'ip', ...args], options).toString();
  };
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

module.exports = { missing, startHalves, startLoopback };
