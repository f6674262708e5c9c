'use strict';

// Answers what the engine asks the program for: SRV records, since Node's resolver knows the configuration of every system,
// and the servers that the program's `discover` function returns.

const { promises: dns } = require('node:dns');
const { DISCOVER, messageOf } = require('./discovery.js');
const { engine } = require('./engine.js');

/**
 * Creates the function that the engine calls with a number, which is given back with the result, and a name.
 * @param {InstanceType<typeof import('./discovery.js').Discovery> | undefined} discovery
 */
function createLookUp(discovery) {
  return async (/** @type {number} */ number, /** @type {string} */ name) => {
    try {
      const { hosts, ports } = name === DISCOVER ? await discovered(discovery) : await services(name);
      engine.endLookup(number, hosts, ports, null);
    } catch (/** @type {any} */ error) {
      engine.endLookup(number, [], [], String(error?.code ?? messageOf(error)));
    }
  };
}

/** @param {Parameters<typeof createLookUp>[0]} discovery */
async function discovered(discovery) {
  if (!discovery) throw new Error('the program passes no function discover to shazbotStart');
  const hosts = await discovery.find();
  // The engine expects a port with each; the URLs have their own.
  return { hosts, ports: hosts.map(() => 0) };
}

/** @param {string} name */
async function services(name) {
  const records = await dns.resolveSrv(name).catch((error) => {
    // The name exists and has no such records at present.
    if (error.code === 'ENODATA') return [];
    throw error;
  });
  return { hosts: records.map((record) => record.name), ports: records.map(({ port }) => port) };
}

module.exports = { createLookUp };
