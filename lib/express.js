'use strict';

// The routes as a handler for Express, Connect and Node's own HTTP server.

const { checkOptions } = require('./options.js');
const { pathBelowMount } = require('./paths.js');
const { ROUTER_OPTIONS, handleRequest } = require('./routes.js');
const { send } = require('./send.js');

/** @type {typeof import('./express.d.ts').shazbotRouter} */
function shazbotRouter(options, /** @type {any[]} */ ...others) {
  if (typeof others[0]?.end === 'function') {
    throw new TypeError("shazbotRouter is not a handler but makes one: app.use('/clustershazbot', shazbotRouter())");
  }
  checkOptions('shazbotRouter', options, ROUTER_OPTIONS);
  return (/** @type {any} */ req, /** @type {any} */ res, next) => {
    // Properties that Express and Connect add: the URL before the mount was removed from it, and the parsed body.
    const { originalUrl = req.url ?? '', body } = req;
    const path = pathBelowMount(req.url ?? '', originalUrl);
    const response = path === undefined ? undefined : handleRequest({ path, incoming: req, body }, options);
    if (response) response.then((it) => send(res, it)).catch(next ?? (() => res.destroy()));
    else if (next) next();
    else send(res, { status: 404, headers: { 'Content-Type': 'application/json' }, body: '{"error":"Not Found"}' });
  };
}

module.exports = { shazbotRouter };
