'use strict';

// HTTP requests and servers for tests.

const http = require('node:http');

/**
 * One HTTP exchange on a new connection: a pooled one would fail if the server was restarted in between.
 *
 * @param {string} url
 * @param {{ method?: string, headers?: Record<string, string>, body?: unknown, timeout?: number }} [options]
 *   `body`: a string is sent as it is, anything else as JSON
 * @returns {Promise<{ status: number, headers: http.IncomingHttpHeaders, text: string, json: any }>}
 *   `json` is undefined if the text is not JSON
 */
function request(url, { method = 'GET', headers = {}, body, timeout = 5_000 } = {}) {
  return new Promise((resolve, reject) => {
    /** @type {Record<string, string>} */
    const sent = { ...headers };
    if (body !== undefined) sent['content-type'] ??= 'application/json';
    const call = http.request(url, { method, headers: sent, agent: false, timeout }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk) => {
        text += chunk;
      });
      answer.on('error', reject);
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json: parse(text) });
      });
    });
    call.on('timeout', () => call.destroy(new Error(`no answer from ${url} in ${timeout} ms`)));
    call.on('error', reject);
    call.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
  });
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Reads the whole body of a request.
 *
 * @param {http.IncomingMessage} incoming
 * @returns {Promise<string>}
 */
async function readBody(incoming) {
  let text = '';
  incoming.setEncoding('utf8');
  for await (const chunk of incoming) text += chunk;
  return text;
}

/**
 * @param {http.Server} server
 * @param {number} port
 * @returns {Promise<void>}
 */
function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
}

/** @param {http.Server} server */
function close(server) {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
}

module.exports = { close, listen, parse, readBody, request };
