'use strict';

// Copies the version of package.json to the platform packages and the crate, and stages them: `npm version` commits them.

const { execFileSync } = require('node:child_process');
const { readFileSync, readdirSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const { ROOT } = require('../shared/cargo.js');

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** @param {string} file @param {RegExp} pattern the text before the version as its group, and the version */
function set(file, pattern) {
  const text = readFileSync(join(ROOT, file), 'utf8');
  if (!pattern.test(text)) throw new Error(`${file} has no version where one is expected`);
  writeFileSync(
    join(ROOT, file),
    text.replace(pattern, (_, before) => `${before}"${version}"`),
  );
}

for (const folder of readdirSync(join(ROOT, 'npm'), { withFileTypes: true })) {
  if (folder.isDirectory()) set(join('npm', folder.name, 'package.json'), /^( {2}"version": )"[^"]*"/m);
}
set('Cargo.toml', /^(\[workspace\.package\]\nversion = )"[^"]*"/m);
const locks = ['Cargo.lock', 'fuzz/Cargo.lock'];
for (const file of locks) set(file, /^(name = "clustershazbot(?:-core)?"\nversion = )"[^"]*"/gm);
execFileSync('git', ['add', 'npm', 'Cargo.toml', ...locks], { cwd: ROOT, stdio: 'inherit' });
