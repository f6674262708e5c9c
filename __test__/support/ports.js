'use strict';

const { readFileSync } = require('node:fs');
const net = require('node:net');

const BLOCK = 50;
const LOWEST = 10_000;
const HIGHEST = Math.min(ephemeralStart(), 32_768);

/** @type {number[]} Ports of this process's blocks that were not handed out yet. */
let spare = [];
/** @type {Promise<unknown>} */
let turn = Promise.resolve();

/**
 * `count` TCP ports that nothing listens on. They lie below the range that the system gives to outgoing
 * connections, and no other process that asks here gets them while this one lives: whoever listens on the
 * first port of a block owns the block, and the system frees it however the owner ends.
 *
 * @param {number} count
 * @returns {Promise<number[]>}
 */
function freePorts(count) {
  const mine = turn.then(() => take(count));
  turn = mine.catch(() => undefined);
  return mine;
}

/** @param {number} count */
async function take(count) {
  /** @type {number[]} */
  const ports = [];
  while (ports.length < count) {
    if (spare.length === 0) spare = await claimBlock();
    const port = /** @type {number} */ (spare.shift());
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
 * On every address, so that a listener on any one of them counts as a conflict.
 *
 * @param {number} port
 * @returns {Promise<net.Server | undefined>} undefined when somebody has the port
 */
function listen(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, exclusive: true }, () => resolve(server));
  });
}

function ephemeralStart() {
  try {
    const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    const start = Number.parseInt(range, 10);
    return start > LOWEST + BLOCK ? start : 32_768;
  } catch {
    return 49_152;
  }
}

module.exports = { freePorts };
