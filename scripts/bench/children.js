'use strict';

// Each thing is measured in a process of its own: nothing that ran before has heated or filled it.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

// The Node that runs npm. What npm calls `node` may be the newer one that some tests install.
const NODE = process.env.npm_node_execpath ?? process.execPath;

/** @type {string | undefined} Where all of them leave their files. */
let folder;

function makeFolder() {
  const made = mkdtempSync(join(tmpdir(), 'bench-'));
  process.on('exit', () => rmSync(made, { recursive: true, force: true, maxRetries: 5 }));
  return made;
}

/**
 * Starts a file of this folder.
 *
 * @param {string} name of the file
 * @param {object} options for it
 */
async function start(name, options) {
  folder ??= makeFolder();
  const env = { ...process.env, TMPDIR: folder };
  const child = fork(join(__dirname, `${name}.js`), [], { execPath: NODE, env, execArgv: ['--expose-gc'] });
  const exit = once(child, 'exit');
  /**
   * Sends it an order.
   *
   * @param {any} order
   * @returns {Promise<any>} what it answers
   */
  const ask = async (order) => {
    const answered = once(child, 'message');
    child.send(order);
    const ended = exit.then(([code, signal]) => {
      throw new Error(`${name} ended with ${code ?? signal}`);
    });
    const [message] = await Promise.race([answered, ended]);
    return message;
  };
  const end = () => {
    child.kill();
    return exit;
  };
  return { ask, end, first: await ask(options) };
}

/**
 * Has a file of this folder do its measurement.
 *
 * @param {string} name of the file
 * @param {object} options for it
 * @returns {Promise<any>} what it answers
 */
async function run(name, options) {
  const { first, end } = await start(name, options);
  await end();
  return first;
}

/**
 * The other side of it.
 *
 * @template T
 * @param {(options: T) => unknown} begin answers what comes first
 * @param {(order: any) => unknown} [go] answers what comes later
 */
function answer(begin, go) {
  /** @type {(order: any) => unknown} */
  let act = (options) => {
    if (go) act = go;
    return begin(/** @type {T} */ (options));
  };
  process.on('message', async (order) => process.send?.(await act(order)));
  // Without whoever asked there is nobody left to end this process.
  process.on('disconnect', () => process.exit());
}

/** Whoever asked ends this process and removes its files: nothing needs to be done. */
const scope = { after: () => {} };

module.exports = { NODE, answer, run, scope, start };
