'use strict';

// Sends ordinary requests to all servers at a steady rate, and counts the answers. Its parent sends the base URLs.

const http = require('node:http');

/** Requests a second to each server. */
const RATE = 5;

const agent = new http.Agent({ keepAlive: true });
/** @type {string[]} */
let urls = [];
/** Base URLs of the servers that a fault makes unreachable. */
let unreachable = new Set();
const counts = { answered: 0, failed: 0, unexpected: 0 };

/** @param {string} url */
function request(url) {
  const wasUnreachable = unreachable.has(url);
  let isAnswered = false;
  const sent = http.get(`${url}ordinary`, { agent, timeout: 5_000 }, (response) => {
    response.resume().on('end', () => {
      isAnswered = response.statusCode === 200;
    });
  });
  sent.on('timeout', () => sent.destroy());
  // `close` follows.
  sent.on('error', () => {});
  sent.on('close', () => {
    if (isAnswered) counts.answered += 1;
    else if (wasUnreachable || unreachable.has(url)) counts.failed += 1;
    else counts.unexpected += 1;
  });
}

process.on('message', (/** @type {{ urls: string[], unreachable: string[] } | 'counts'} */ message) => {
  if (message === 'counts') return process.send?.(counts);
  urls = message.urls;
  unreachable = new Set(message.unreachable);
});
process.on('disconnect', () => process.exit(0));
setInterval(() => urls.forEach(request), 1000 / RATE);
