'use strict';

// Looks up SRV records for the engine: Node's resolver knows the configuration of every system.

const { promises: dns } = require('node:dns');
const { engine } = require('./engine.js');

/**
 * @param {number} number to be given back with the result
 * @param {string} name
 */
async function lookUpServices(number, name) {
  try {
    const records = await dns.resolveSrv(name);
    const hosts = records.map((record) => record.name);
    const ports = records.map(({ port }) => port);
    engine.endLookup(number, hosts, ports, null);
  } catch (/** @type {any} */ error) {
    // The name exists and has no such records at present.
    if (error.code === 'ENODATA') engine.endLookup(number, [], [], null);
    else engine.endLookup(number, [], [], String(error.code ?? error.message));
  }
}

module.exports = { lookUpServices };
