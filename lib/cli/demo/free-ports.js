'use strict';

// Finds TCP ports for servers that stop and start again, in the demo and in tests.

const { readFileSync } = require('node:fs');
const net = require('node:net');

const BLOCK = 50;
const LOWEST = 10_000;
const HIGHEST = Math.min(firstEphemeralPort(), 32_768);

/** @type {number[]} Ports of the blocks of this process that are not used yet. */
let unused = [];
/** @type {Promise<unknown>} */
let last = Promise.resolve();

/**
 * Returns ports that nothing listens on. They lie below the range that the system uses for outgoing connections, so a
 * port stays free while its server is down. Other processes that call this get other ports while this one runs: a
 * process owns a block of ports by listening on the first one, which the system frees however the process ends.
 *
 * @param {number} count
 * @returns {Promise<number[]>}
 */
function freePorts(count) {
  const ports = last.then(() => take(count));
  last = ports.catch(() => undefined);
  return ports;
}

/** @param {number} count */
async function take(count) {
  /** @type {number[]} */
  const ports = [];
  while (ports.length < count) {
    if (unused.length === 0) unused = await claimBlock();
    const port = /** @type {number} */ (unused.shift());
    const probe = await listen(port);
    if (!probe) continue;
    await new Promise((resolve) => probe.close(resolve));
    ports.push(port);
  }
  return ports;
}

/** @returns {Promise<number[]>} */
async function claimBlock() {
  const blocks = Math.floor((HIGHEST - LOWEST) / BLOCK);
  const first = Math.floor(Math.random() * blocks);
  for (let i = 0; i < blocks; i++) {
    const start = LOWEST + ((first + i) % blocks) * BLOCK;
    const guard = await listen(start);
    if (!guard) continue;
    guard.unref();
    return Array.from({ length: BLOCK - 1 }, (_, n) => start + 1 + n);
  }
  throw new Error(`no free block of ${BLOCK} ports between ${LOWEST} and ${HIGHEST}`);
}

/**
 * Listens on all addresses, so that a listener on any one of them is a conflict.
 *
 * @param {number} port
 * @returns {Promise<net.Server | undefined>} undefined if the port is in use
 */
function listen(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, exclusive: true }, () => resolve(server));
  });
}

function firstEphemeralPort() {
  try {
    const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    const start = Number.parseInt(range, 10);
    return start > LOWEST + BLOCK ? start : 32_768;
  } catch {
    // Not Linux: macOS, Windows and the BSDs begin here or above.
    return 49_152;
  }
}

module.exports = { freePorts };
