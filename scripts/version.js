'use strict';

// Gives the platform packages and the crate the version of package.json. `npm version` runs it.

const { readFileSync, readdirSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** @param {string} file @param {RegExp} pattern what is before the version, and the version */
function set(file, pattern) {
  const text = readFileSync(join(root, file), 'utf8');
  if (!pattern.test(text)) throw new Error(`${file} has no version where one is expected`);
  writeFileSync(
    join(root, file),
    text.replace(pattern, (_, before) => `${before}"${version}"`),
  );
}

for (const folder of readdirSync(join(root, 'npm'), { withFileTypes: true })) {
  if (folder.isDirectory()) set(join('npm', folder.name, 'package.json'), /^( {2}"version": )"[^"]*"/m);
}
set('Cargo.toml', /^(\[package\]\nname = "clustershazbot"\nversion = )"[^"]*"/m);
for (const file of ['Cargo.lock', 'fuzz/Cargo.lock']) set(file, /^(name = "clustershazbot"\nversion = )"[^"]*"/m);
