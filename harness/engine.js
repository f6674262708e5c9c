'use strict';

// Loads the package into this process, and starts engines without routes.

const path = require('node:path');

const { environment, fileList } = require('./cluster.js');
const { unusedUrl } = require('./fake-peer.js');

const root = path.join(__dirname, '..');

/**
 * Loads the package again, which gives it an engine of its own.
 *
 * @returns {typeof import('..')}
 */
function freshEngine() {
  for (const file of Object.keys(require.cache)) {
    const inside = path.relative(root, file);
    if (inside === 'index.js' || inside.startsWith(`lib${path.sep}`)) delete require.cache[file];
  }
  return require('..');
}

/**
 * Calls `work` while `process.env` has these variables, and no other that begins with SHAZBOT_.
 *
 * @template T
 * @param {Record<string, string | undefined>} env
 * @param {() => T} work sees them until its first await
 * @returns {T}
 */
function withEnvironment(env, work) {
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) if (name.startsWith('SHAZBOT_')) delete process.env[name];
  for (const [name, value] of Object.entries(env)) if (value !== undefined) process.env[name] = value;
  try {
    return work();
  } finally {
    for (const name of [...Object.keys(env), ...Object.keys(before)]) {
      const value = before[name];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/**
 * Starts an engine in this process, by default with an hour between its rounds. It has no routes: tests call its
 * functions. It is shut down with the scope.
 *
 * @param {import('./cluster.js').Scope} scope
 * @param {Record<string, string>} [env]
 */
async function startEngine(scope, env = {}) {
  const engine = freshEngine();
  const baseUrl = env.SHAZBOT_BASE_URL ?? (await unusedUrl());
  const list = fileList();
  const all = { ...environment(baseUrl), SHAZBOT_GOSSIP_INTERVAL: '3600', ...list.env, ...env };
  scope.after(() => engine.shazbotShutDown());
  await withEnvironment(all, () => engine.shazbotStart());
  return { ...engine, baseUrl };
}

/**
 * Collects process warnings from now on, and keeps Node from printing them.
 *
 * @param {import('./cluster.js').Scope} scope
 */
function catchWarnings(scope) {
  /** @type {(Error & { code?: string })[]} */
  const warnings = [];
  const printers = process.listeners('warning');
  process.removeAllListeners('warning');
  /** @param {Error} warning */
  const listener = (warning) => warnings.push(warning);
  process.on('warning', listener);
  scope.after(() => {
    process.off('warning', listener);
    for (const printer of printers) process.on('warning', printer);
  });
  return warnings;
}

module.exports = { catchWarnings, freshEngine, startEngine, withEnvironment };
