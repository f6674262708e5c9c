'use strict';

// Makes a program that listens on port 3000, as the README's does, listen on the port of the test. Loaded with --require.

const { Server } = require('node:net');

const { listen } = Server.prototype;

/**
 * @this {Server}
 * @param {any[]} args
 */
function listenOnTestPort(...args) {
  if (args[0] === 3000) args.splice(0, 1, Number(process.env.PORT), '127.0.0.1');
  return Reflect.apply(listen, this, args);
}

Server.prototype.listen = /** @type {any} */ (listenOnTestPort);
