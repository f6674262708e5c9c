'use strict';

// A port that passes connections on to another one until it is cut off: then nothing gets a connection there, as with a
// firewall that drops packets.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');

/** A connection on loopback takes far less. */
const CONNECT_MS = 300;
const MAX_FILLERS = 50;

/**
 * @param {import('./cluster.js').Scope} scope
 * @param {number} port
 * @param {number} target the port that it leads to
 */
async function startCuttablePort(scope, port, target) {
  const child = fork(__filename, [String(port), String(target)]);
  /** @type {net.Socket[]} */
  const fillers = [];
  scope.after(() => {
    for (const socket of fillers) socket.destroy();
    child.kill('SIGKILL');
  });
  await once(child, 'message');
  return {
    /** Stops the forwarder and fills its queue of connections: the kernel then drops the packets of new ones. */
    async cut() {
      child.kill('SIGSTOP');
      for (let i = 0; i < MAX_FILLERS; i++) {
        const socket = net.connect(port, '127.0.0.1').on('error', () => {});
        fillers.push(socket);
        const connected = once(socket, 'connect').then(() => true);
        const late = new Promise((resolve) => setTimeout(resolve, CONNECT_MS, false));
        if (!(await Promise.race([connected, late]))) return;
      }
      throw new Error('connections are still accepted');
    },
  };
}

function forward() {
  const [port, target] = process.argv.slice(2).map(Number);
  const server = net.createServer((incoming) => {
    const outgoing = net.connect(Number(target), '127.0.0.1');
    for (const socket of [incoming, outgoing]) socket.on('error', () => socket.destroy());
    incoming.on('close', () => outgoing.destroy());
    outgoing.on('close', () => incoming.destroy());
    incoming.pipe(outgoing).pipe(incoming);
  });
  server.listen({ port, host: '127.0.0.1', backlog: 1 }, () => process.send?.('listening'));
  process.on('disconnect', () => process.exit());
}

if (require.main === module) forward();

module.exports = { startCuttablePort };
