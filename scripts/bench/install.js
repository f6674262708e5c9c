'use strict';

// Measures how long an install takes and how large it is, beside two well-known packages with a native binary.

const { spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { dirname, join } = require('node:path');

const { progress } = require('../shared/command.js');
const { median } = require('../shared/statistics.js');
const { table } = require('../shared/text.js');

const HELP = `npm run bench -- install [--repeat N]

Packs the package with the binary built here, serves it from a registry on loopback, and installs it, @swc/core and
better-sqlite3 in turn, each into an empty folder with all dependencies. Prints the median of N installs (default: 5) with
npm's cache empty and full, and the size on disk.

better-sqlite3 downloads its binary from GitHub. If it cannot, it compiles for a minute each time; its row then says
"compiled". Needs the tools that .ci/run installs, a C++ compiler and Node's headers.
`;

/** @param {{ repeat: number }} options */
async function main({ repeat }) {
  const { Registry } = require('../../harness/registry.js');
  const registry = new Registry();
  const folder = mkdtempSync(join(tmpdir(), 'clustershazbot-install-'));
  const rows = [['package', 'cache empty', 'cache full', 'on disk', 'files', '']];
  try {
    await registry.start();
    for (const name of ['clustershazbot', '@swc/core', 'better-sqlite3@12']) {
      progress(`installing ${name}`);
      rows.push(row(name, measure({ name, repeat, folder, registry: registry.url })));
    }
    progress('');
    console.log(table(rows));
  } finally {
    registry.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {{ name: string, repeat: number, folder: string, registry: string }} options */
function measure({ name, repeat, folder, registry }) {
  const [cache, project] = [join(folder, 'cache'), join(folder, 'project')];
  /** @type {Record<'empty' | 'full', number[]>} */
  const seconds = { empty: [], full: [] };
  // The first install does not count: the registry on loopback fetches what it lacks from npm's.
  for (let count = 0; count <= repeat; count++) {
    rmSync(cache, { recursive: true, force: true });
    for (const state of /** @type {const} */ (['empty', 'full'])) {
      rmSync(project, { recursive: true, force: true });
      mkdirSync(project);
      writeFileSync(join(project, 'package.json'), '{"private":true}');
      const took = install(project, [name, '--cache', cache, '--registry', registry]);
      if (count > 0) seconds[state].push(took);
    }
  }
  // Only a compiler leaves this file.
  const isCompiled = existsSync(join(project, 'node_modules', 'better-sqlite3', 'build', 'Makefile'));
  return { seconds, isCompiled, ...sizeOf(join(project, 'node_modules')) };
}

/**
 * @param {string} project
 * @param {string[]} args
 * @returns {number} seconds
 */
function install(project, args) {
  // Without nodedir node-gyp downloads the headers that Node already brings.
  const env = { ...process.env, npm_config_nodedir: join(dirname(process.execPath), '..') };
  const since = performance.now();
  const all = ['install', '--no-audit', '--no-fund', ...args];
  const { status, stderr } = spawnSync('npm', all, { cwd: project, encoding: 'utf8', env });
  if (status !== 0) throw new Error(stderr);
  return (performance.now() - since) / 1000;
}

/** @param {string} name @param {ReturnType<typeof measure>} measured */
function row(name, { seconds, isCompiled, bytes, files }) {
  const times = [seconds.empty, seconds.full].map((all) => `${median(all).toFixed(1)} s`);
  return [name, ...times, `${(bytes / 1e6).toFixed(1)} MB`, String(files), isCompiled ? 'compiled' : ''];
}

/** @param {string} folder */
function sizeOf(folder) {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((it) => it.isFile());
  return { files: all.length, bytes: all.reduce((sum, it) => sum + statSync(join(it.parentPath, it.name)).size, 0) };
}

/** @type {import('../shared/command.js').Command<{ repeat: number }>} */
const command = {
  name: 'bench -- install',
  help: HELP,
  options: { repeat: { type: 'string', default: '5' } },
  read({ repeat }) {
    if (!/^[1-9]\d*$/.test(repeat)) throw new Error('--repeat takes a whole number, 1 at least');
    return { repeat: Number(repeat) };
  },
  main,
};

module.exports = { command };
