'use strict';

// What an install takes, beside two well-known packages with a native binary: npm, a fresh folder, its cache warm and cold.

const { spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { dirname, join } = require('node:path');
const { run } = require('./shared/command.js');

const HELP = `npm run measure:install [-- --repeat N]

Packs the package with the binary that is built here, serves it on loopback, and installs it, @swc/core and better-sqlite3 in
turn, each with its dependencies: seconds, median of N (5), with npm's cache empty and full, and what is on the disk then.
better-sqlite3 fetches its binary from GitHub, and where that cannot be reached compiles it, for a minute each time: then the
line says so. Needs what .ci/run installs, and for that a C++ compiler and Node's headers.
`;

/** @param {{ repeat: number }} options */
async function main({ repeat }) {
  const { Registry } = require('../__test__/support/registry.js');
  const registry = new Registry();
  // node-gyp would download the headers that come with Node.
  const env = { ...process.env, npm_config_nodedir: join(dirname(process.execPath), '..') };
  const folder = mkdtempSync(join(tmpdir(), 'clustershazbot-measure-'));
  try {
    await registry.start();
    console.log('package                 cache empty   cache full   on disk   files');
    for (const name of ['clustershazbot', '@swc/core', 'better-sqlite3@12']) {
      /** @type {Record<'empty' | 'full', number[]>} */
      const took = { empty: [], full: [] };
      let size = { bytes: 0, files: 0 };
      // Once before it counts: the registry fetches what it has not yet.
      for (let count = 0; count <= repeat; count++) {
        const cache = join(folder, 'cache');
        rmSync(cache, { recursive: true, force: true });
        for (const state of /** @type {const} */ (['empty', 'full'])) {
          const project = join(folder, 'project');
          rmSync(project, { recursive: true, force: true });
          mkdirSync(project);
          writeFileSync(join(project, 'package.json'), '{"private":true}');
          const began = process.hrtime.bigint();
          const args = ['install', name, '--no-audit', '--no-fund', '--cache', cache, '--registry', registry.url];
          const { status, stderr } = spawnSync('npm', args, { cwd: project, encoding: 'utf8', env });
          if (status !== 0) throw new Error(stderr);
          if (count > 0) took[state].push(Number(process.hrtime.bigint() - began) / 1e9);
          size = sizeOf(join(project, 'node_modules'));
        }
      }
      const [empty, full] = [median(took.empty), median(took.full)].map((s) => `${s.toFixed(1)} s`);
      // What a compiler leaves behind.
      const isCompiled = existsSync(join(folder, 'project', 'node_modules', 'better-sqlite3', 'build', 'Makefile'));
      const megabytes = `${(size.bytes / 1e6).toFixed(1)} MB`;
      console.log(
        `${name.padEnd(22)}  ${empty?.padEnd(11)}   ${full?.padEnd(10)}   ${megabytes.padEnd(7)}   ${size.files}${isCompiled ? '   compiled' : ''}`,
      );
    }
  } finally {
    registry.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {number[]} numbers */
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;

/** @param {string} folder */
function sizeOf(folder) {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((it) => it.isFile());
  return { files: all.length, bytes: all.reduce((sum, it) => sum + statSync(join(it.parentPath, it.name)).size, 0) };
}

run(
  { name: 'measure:install', help: HELP, options: { repeat: { type: 'string', default: '5' } } },
  ({ repeat }) => {
    if (!/^[1-9]\d*$/.test(repeat)) throw new Error('--repeat must be a whole number, and not 0');
    return { repeat: Number(repeat) };
  },
  main,
);
