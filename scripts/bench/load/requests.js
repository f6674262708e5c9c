'use strict';

// Child process that sends ordinary requests to a server, so that the gossip of its parent does not delay them.

const http = require('node:http');
const { performance } = require('node:perf_hooks');

const { steadily } = require('./steadily.js');

process.on('disconnect', () => process.exit());
process.on('message', async (/** @type {{ url: string, rate: number, ms: number }} */ { url, rate, ms }) => {
  const agent = new http.Agent({ keepAlive: true });
  const requests = await steadily(rate, ms, async (due) => {
    const sent = performance.now();
    await get(url, agent);
    return { latency: performance.now() - sent, late: sent - due };
  });
  agent.destroy();
  process.send?.(requests);
});

/**
 * @param {string} url
 * @param {http.Agent} agent
 * @returns {Promise<void>}
 */
function get(url, agent) {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`${url} answered ${answer.statusCode}`));
      answer.resume().on('end', resolve);
    });
    request.on('error', reject);
  });
}
