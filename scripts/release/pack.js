'use strict';

// Packs what is published: the package itself, and for each platform a package with its binary.

const { execFileSync } = require('node:child_process');
const {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} = require('node:fs');
const { dirname, join, resolve } = require('node:path');
const { ROOT } = require('../shared/cargo.js');
const { run } = require('../shared/command.js');

const HELP = `npm run release -- pack --binaries DIR [--out DIR] [--repository URL]

Packs the platform packages of npm/, and the package itself, which names them as optional dependencies of its own version.
Publish the platform packages first.

  --binaries DIR    where the binaries are, each named as in its package's manifest: clustershazbot.linux-x64-gnu.node
  --out DIR         where the .tgz files go, default: target/pack
  --repository URL  where the source is, without .git; npm shows it, and requires it of packages with provenance
`;

/** Joined into one file, because bundlers leave files behind that are read at run time. */
const PAGE_PARTS = 'lib/page/';
const LEGAL = ['LICENSE', 'THIRD-PARTY-LICENSES.md'];

/** @param {{ binaries: string, out: string, repository: string | undefined }} options */
async function main({ binaries, out, repository }) {
  const more = repository && {
    repository: { type: 'git', url: `git+${repository}.git` },
    bugs: { url: `${repository}/issues` },
    homepage: `${repository}#readme`,
  };
  const names = readdirSync(join(ROOT, 'npm'), { withFileTypes: true }).filter((it) => it.isDirectory());
  const platforms = names.map(({ name }) => ({ from: join(ROOT, 'npm', name), ...manifest(join('npm', name)) }));
  const missing = platforms.filter(({ main }) => !existsSync(join(binaries, main)));
  if (missing.length > 0) throw new Error(`${binaries} has no ${missing.map(({ main }) => main).join(', ')}`);

  rmSync(out, { recursive: true, force: true });
  const own = manifest('.');
  for (const { from, ...platform } of platforms) {
    const stage = join(out, 'stage', platform.name);
    mkdirSync(stage, { recursive: true });
    cpSync(join(from, 'README.md'), join(stage, 'README.md'));
    for (const file of LEGAL) cpSync(join(ROOT, file), join(stage, file));
    cpSync(join(binaries, platform.main), join(stage, platform.main));
    chmodSync(join(stage, platform.main), 0o755);
    pack(stage, out, { ...platform, version: own.version, files: [...platform.files, ...LEGAL], ...more });
  }

  const stage = join(out, 'stage', own.name);
  for (const file of published().filter((name) => !name.startsWith(PAGE_PARTS))) {
    mkdirSync(dirname(join(stage, file)), { recursive: true });
    cpSync(join(ROOT, file), join(stage, file));
  }
  writeFileSync(join(stage, 'lib', 'page.json'), JSON.stringify(require('../../lib/page.js').build()));
  const { devDependencies, scripts, workspaces, napi, scarfSettings, ...rest } = own;
  const optionalDependencies = Object.fromEntries(platforms.map(({ name }) => [name, own.version]));
  pack(stage, out, { ...rest, optionalDependencies, ...more });
  rmSync(join(out, 'stage'), { recursive: true });
}

/** @param {string} folder @returns {any} */
function manifest(folder) {
  return JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
}

/** The files that npm selects by the manifest. @returns {string[]} */
function published() {
  const text = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return JSON.parse(text)[0].files.map((/** @type {{ path: string }} */ it) => it.path);
}

/**
 * @param {string} stage
 * @param {string} out
 * @param {object} manifest
 */
function pack(stage, out, manifest) {
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', out];
  const [{ filename, size, unpackedSize }] = JSON.parse(execFileSync('npm', args, { cwd: stage, encoding: 'utf8' }));
  console.log(`${filename}  ${kilobytes(size)}, unpacked ${kilobytes(unpackedSize)}`);
}

/** @param {number} bytes */
const kilobytes = (bytes) => `${Math.round(bytes / 1000).toLocaleString('en-US')} kB`;

run({
  name: 'release -- pack',
  help: HELP,
  options: {
    binaries: { type: 'string' },
    repository: { type: 'string' },
    out: { type: 'string', default: join(ROOT, 'target', 'pack') },
  },
  read({ binaries, out, repository }) {
    if (!binaries) throw new Error('--binaries is missing');
    return { binaries: resolve(binaries), out: resolve(out), repository };
  },
  main,
});
