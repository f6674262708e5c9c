'use strict';

// The routes as a function from the Fetch API's Request to its Response: for Next.js, Hono, Bun.serve and Deno.serve.

const { Readable } = require('node:stream');
const { URL } = require('node:url');
const { checkOptions } = require('./options.js');
const { MOUNT, pathBelowMount } = require('./paths.js');
const { ROUTER_OPTIONS, handleRequest } = require('./routes.js');

/** Statuses whose responses have no body. */
const WITHOUT_BODY = new Set([204, 304]);

/** @type {typeof import('./fetch-handler.d.ts').shazbotHandler} */
function shazbotHandler(options) {
  checkOptions('shazbotHandler', options, ROUTER_OPTIONS);
  return async (request) => {
    const { pathname } = new URL(request.url);
    const path = pathBelowMount(pathname.slice(pathname.lastIndexOf(MOUNT)), pathname);
    const answer =
      path === undefined ? undefined : handleRequest({ path, incoming: incomingOf(request), body: undefined }, options);
    if (!answer) return Response.json({ error: 'Not Found' }, { status: 404 });
    const { status, headers, body } = await answer;
    return new Response(WITHOUT_BODY.has(status) ? null : body, { status, headers });
  };
}

/**
 * What the routes read of a request of Node.
 * @param {Request} request
 */
function incomingOf({ method, headers, body, bodyUsed }) {
  if (bodyUsed)
    throw new TypeError('The body of the request has been read: hand the request to shazbotHandler() first');
  const stream = body ? Readable.fromWeb(/** @type {any} */ (body)) : Readable.from([]);
  // A body that is discarded may end with an error when the client goes away.
  stream.on('error', () => {});
  // Headers that belong to one connection, which the routes set for HTTP/1 only, are the business of the server.
  return Object.assign(stream, { method, headers: Object.fromEntries(headers), httpVersionMajor: 2 });
}

module.exports = { shazbotHandler };
