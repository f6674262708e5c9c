'use strict';

// Runs each measurement in a process of its own, so that no earlier measurement has compiled code or filled the memory.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

// The Node that runs npm: `node` in npm's PATH may be the newer one that some tests install.
const NODE = process.env.npm_node_execpath ?? process.execPath;

/** @type {string | undefined} The folder for temporary files of all children. */
let folder;

function makeFolder() {
  const made = mkdtempSync(join(tmpdir(), 'bench-'));
  process.on('exit', () => rmSync(made, { recursive: true, force: true, maxRetries: 5 }));
  return made;
}

/**
 * Starts a file of this folder as a child process.
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
   * Sends the child an order.
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
 * Runs a measurement to its end.
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
 * Called by the child: answers the orders of its parent.
 *
 * @template T
 * @param {(options: T) => unknown} begin answers the first message, the options
 * @param {(order: any) => unknown} [go] answers the later messages
 */
function answer(begin, go) {
  /** @type {(order: any) => unknown} */
  let act = (options) => {
    if (go) act = go;
    return begin(/** @type {T} */ (options));
  };
  process.on('message', async (order) => process.send?.(await act(order)));
  // Nobody else ends this process when its parent is gone.
  process.on('disconnect', () => process.exit());
}

/** Cleans up nothing: the parent ends this process and removes its files. */
const scope = { after: () => {} };

module.exports = { NODE, answer, run, scope, start };
