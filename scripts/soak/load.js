'use strict';

// Sends ordinary requests to all servers at a steady rate, and reports how many were answered. Its parent sends the URLs.

const http = require('node:http');

/** Requests a second to each server. */
const RATE = 5;

const agent = new http.Agent({ keepAlive: true });
/** @type {string[]} */
let urls = [];
const counts = { answered: 0, failed: 0 };

/** @param {string} url */
function request(url) {
  const sent = http.get(`${url}ordinary`, { agent, timeout: 5_000 }, (response) => {
    response.resume().on('end', () => {
      counts.answered += 1;
    });
  });
  // Servers that are down, hung or on the other side of a partition.
  sent.on('timeout', () => sent.destroy());
  sent.on('error', () => {
    counts.failed += 1;
  });
}

process.on('message', (/** @type {string[] | 'counts'} */ message) => {
  if (message === 'counts') process.send?.(counts);
  else urls = message;
});
process.on('disconnect', () => process.exit(0));
setInterval(() => urls.forEach(request), 1000 / RATE);
