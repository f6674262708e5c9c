'use strict';

// Sends a response of the routes with Node's own HTTP server, for each framework that is built on it.

const { Buffer } = require('node:buffer');

/**
 * @param {import('node:http').ServerResponse} res
 * @param {import('./routes.js').Response} response
 */
function send(res, { status, headers, body }) {
  // The program may have answered in the meantime, for example after a timeout.
  if (res.headersSent) return;
  res.statusCode = status;
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  if (status !== 204 && status !== 304) res.setHeader('Content-Length', Buffer.byteLength(body));
  res.end(body);
}

module.exports = { send };
