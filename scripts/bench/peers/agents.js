'use strict';

// Runs a cluster of another membership program, one process in each network, and records what each logs about the others.

const { spawn } = require('node:child_process');

const { until } = require('../../../harness/until.js');
const { Cluster, LIMIT } = require('../processes/cluster.js');
const { scope } = require('../scope.js');

/** @typedef {import('../../../harness/cluster.js').Place} Place */
/**
 * @typedef {object} Program
 * @property {(host: string, hosts: string[]) => string[]} command of the server at `host`, with its arguments
 * @property {RegExp} event matches a line of output that reports a change: its groups are the change and the host
 * @property {string} online the change that says that a server is online
 */

/** One process. Has the parts of a TestServer that measurements use; `baseUrl` is its host. */
class Agent {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  child;
  isEnded = false;

  /** @param {Place} place @param {string[]} command @param {(line: string) => void} onLine */
  constructor(place, command, onLine) {
    this.place = place;
    this.baseUrl = place.host;
    this.command = command;
    this.onLine = onLine;
  }

  restart() {
    const [file = '', ...args] = this.command;
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.child = child;
    this.isEnded = false;
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      lines.forEach(this.onLine);
    });
    // An order to a process that has just ended.
    child.stdin.on('error', () => {});
    child.on('close', () => {
      this.isEnded = true;
    });
  }

  /** Writes an order to its standard input. @param {'exit' | 'leave'} order */
  order(order) {
    this.child?.stdin?.write(`${order}\n`);
  }

  /** @param {NodeJS.Signals} signal */
  signal(signal) {
    this.child?.kill(signal);
  }

  ended() {
    return until(() => this.isEnded, { timeout: LIMIT, every: 10, what: `${this.baseUrl} ends` });
  }
}

/**
 * @param {Place[]} places
 * @param {Program} program
 */
async function startAgents(places, { command, event, online }) {
  // These programs have their own intervals.
  const cluster = new Cluster(0);
  const hosts = places.map(({ host }) => host);
  for (const place of places) {
    /** @type {any} */
    const agent = new Agent(place, [...place.enter, ...command(place.host, hosts)], (line) => {
      const [, change, host = ''] = event.exec(line) ?? [];
      if (change) cluster.record(agent, host, change === online, Date.now());
    });
    cluster.servers.push(agent);
    cluster.forget(agent);
    scope.after(() => agent.signal('SIGKILL'));
    agent.restart();
  }
  await cluster.found();
  return cluster;
}

module.exports = { startAgents };
