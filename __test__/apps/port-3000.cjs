'use strict';

// Loaded with --require: the README's program listens on port 3000, whatever else runs here. This moves it to
// the port of the test.

const { Server } = require('node:net');

const { listen } = Server.prototype;

/**
 * @this {Server}
 * @param {any[]} args
 */
function moved(...args) {
  if (args[0] === 3000) args.splice(0, 1, Number(process.env.PORT), '127.0.0.1');
  return Reflect.apply(listen, this, args);
}

Server.prototype.listen = /** @type {any} */ (moved);
