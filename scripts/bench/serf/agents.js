'use strict';

// Runs a cluster of Serf agents and records what each of them logs about the others.

const { spawn } = require('node:child_process');

const { freePorts } = require('../../../harness/ports.js');
const { until } = require('../../../harness/until.js');
const { Cluster, LIMIT } = require('../processes/cluster.js');
const { scope } = require('../scope.js');

const EVENT = /serf: EventMember(Join|Failed|Leave): (\S+) /;

/** One agent. Has the parts of a TestServer that measurements use; `baseUrl` is its name. */
class Agent {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  child;
  isEnded = false;

  /** @param {string} baseUrl @param {string[]} command @param {(line: string) => void} onLine */
  constructor(baseUrl, command, onLine) {
    this.baseUrl = baseUrl;
    this.command = command;
    this.onLine = onLine;
  }

  restart() {
    const [file = '', ...args] = this.command;
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.child = child;
    this.isEnded = false;
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      lines.forEach(this.onLine);
    });
    child.on('close', () => {
      this.isEnded = true;
    });
  }

  /** @param {NodeJS.Signals} signal */
  signal(signal) {
    this.child?.kill(signal);
  }

  ended() {
    return until(() => this.isEnded, { timeout: LIMIT, every: 10, what: `${this.baseUrl} ends` });
  }
}

class Agents extends Cluster {
  /** @param {import('../../../harness/cluster.js').Place} place */
  constructor(place) {
    // Serf does not have an interval that is set.
    super(0);
    this.place = place;
  }

  /** @param {number} count */
  async fill(count) {
    const ports = await freePorts(2 * count);
    for (let n = 0; n < count; n++) {
      const [port, rpcPort] = [ports[2 * n], ports[2 * n + 1]];
      const options = [`-bind=127.0.0.1:${port}`, `-rpc-addr=127.0.0.1:${rpcPort}`, '-profile=lan'];
      const join = n === 0 ? `-retry-join=127.0.0.1:${ports[2]}` : `-retry-join=127.0.0.1:${ports[0]}`;
      const command = [...this.place.enter, 'serf', 'agent', `-node=s${n}`, ...options, join, '-retry-interval=1s'];
      /** @type {any} */
      const agent = new Agent(`s${n}`, command, (line) => {
        const [, kind, name = ''] = EVENT.exec(line) ?? [];
        if (kind) this.record(agent, name, kind === 'Join', Date.now());
      });
      this.servers.push(agent);
      this.forget(agent);
      scope.after(() => agent.signal('SIGKILL'));
      agent.restart();
    }
    const ms = await this.rest(this.servers, this.servers, true, Date.now());
    if (ms === undefined) throw new Error(`${count} Serf agents did not find each other within ${LIMIT / 1000} s`);
  }
}

module.exports = { Agents };
