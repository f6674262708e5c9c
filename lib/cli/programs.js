'use strict';

// The commands that run something until it ends, with options of their own: demo, dev, master-list.

/** @typedef {{ name: string, usage: string, summary: string, run: (args: string[], env: NodeJS.ProcessEnv) => Promise<number> }} Program */

/** Each is loaded only when it runs. @type {Program[]} */
const programs = [
  {
    name: 'demo',
    usage: 'demo',
    summary: 'runs five servers on this machine, kills one and drains one',
    run: (args) => require('./commands/demo.js').demo(args),
  },
  {
    name: 'dev',
    usage: 'dev -- COMMAND',
    summary: 'runs a program as a server of a cluster on this machine, for development',
    run: (args, env) => require('./commands/dev.js').dev(args, env),
  },
  {
    name: 'master-list',
    usage: 'master-list',
    summary: 'runs a server that keeps a master list in a file',
    run: (args, env) => require('./commands/master-list.js').masterList(args, env),
  },
];

module.exports = { programs };
