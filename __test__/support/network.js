'use strict';

const http = require('node:http');

const { close, listen } = require('../../harness/http.js');
const { freePorts } = require('../../harness/ports.js');

/**
 * A network that can be cut: each server sends through a proxy of its own, so that for every exchange it is known
 * who talks to whom.
 *
 * @param {import('../../harness/cluster.js').Scope} scope
 */
async function startNetwork(scope) {
  /** @type {(from: number, to: number) => boolean} */
  let passes = () => true;
  let carried = 0;

  return {
    /** Exchanges that went through. */
    carried: () => carried,

    /** @param {(from: number, to: number) => boolean} rule by port */
    only(rule) {
      passes = rule;
    },
    heal() {
      passes = () => true;
    },

    /**
     * @param {number} from port of the server that is to send through it
     * @returns {Promise<Record<string, string>>} environment of that server
     */
    async attach(from) {
      const port = /** @type {number} */ ((await freePorts(1))[0]);
      const proxy = http.createServer((req, res) => {
        const target = new URL(req.url ?? '');
        if (!passes(from, Number(target.port))) return req.socket.destroy();
        carried += 1;
        const onward = http.request(target, { method: req.method, headers: req.headers, agent: false }, (answer) => {
          res.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(res);
        });
        onward.on('error', () => req.socket.destroy());
        req.pipe(onward);
      });
      await listen(proxy, port);
      scope.after(() => close(proxy));
      const url = `http://127.0.0.1:${port}`;
      return { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: url, http_proxy: url };
    },
  };
}

module.exports = { startNetwork };
