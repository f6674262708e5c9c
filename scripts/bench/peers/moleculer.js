'use strict';

// A Moleculer broker on the TCP transporter, which prints who is online: moleculer.js MODULE HOST HOST...
// The last arguments are the hosts of all brokers, as in a static list of the documentation.

const { createInterface } = require('node:readline');

const PORT = 3000;

const [module_ = '', own = '', ...hosts] = process.argv.slice(2);
const { ServiceBroker } = require(module_);
const broker = new ServiceBroker({
  nodeID: own,
  logger: false,
  transporter: {
    type: 'TCP',
    options: {
      udpDiscovery: false,
      urls: hosts.map((host) => `tcp://${host}:${PORT}/${host}`),
      // All networks of the benchmark have the same host name.
      useHostname: false,
    },
  },
});
for (const [event, change] of [
  ['$node.connected', 'online'],
  ['$node.disconnected', 'offline'],
]) {
  broker.localBus.on(event, (/** @type {{ node: { id: string } }} */ { node }) => console.log(`${change} ${node.id}`));
}
broker.start();

createInterface(process.stdin)
  .on('line', async (order) => {
    if (order === 'leave') await broker.stop();
    process.exit(order === 'leave' ? 0 : 3);
  })
  // The benchmark has ended.
  .on('close', () => process.exit(1));
