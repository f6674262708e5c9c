'use strict';

// Compiles the Nest applications of __test__/integrations.

const { readFileSync } = require('node:fs');
const path = require('node:path');
const { apps, projectOf, root, write } = require('./programs.js');

/**
 * Compiles an application for Nest 12 without decorator metadata, as esbuild and tsx do. Returns the main file.
 * @param {string} name of the file in __test__/integrations, and of the folder it is compiled in
 * @param {string} [folder] if it is another one
 */
function compileNest(name, folder = name) {
  const directory = projectOf(folder, 'nest12');
  const source = readFileSync(path.join(root, '__test__', 'integrations', `${name}.ts`), 'utf8');
  const { transformSync } = require(require.resolve('@swc/core', { paths: [path.join(apps, 'plain')] }));
  const parser = { syntax: 'typescript', decorators: true };
  const transform = { legacyDecorator: true, decoratorMetadata: false };
  const { code } = transformSync(source, { jsc: { parser, transform, target: 'es2022' }, module: { type: 'es6' } });
  write(directory, { 'package.json': { type: 'module' }, 'main.js': code });
  return path.join(directory, 'main.js');
}

module.exports = { compileNest };
