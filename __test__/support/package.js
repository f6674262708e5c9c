'use strict';

const { cpSync, readdirSync } = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..', '..');

/**
 * This package as npm would install it: a copy of what is published, and the binary. Unlike a link to the checkout, it finds the
 * frameworks of the program that it is installed for.
 *
 * @param {string} target the folder that is made
 */
function copyPackage(target) {
  /** @type {{ files: string[] }} */
  const { files } = require('../../package.json');
  const binaries = readdirSync(root).filter((file) => file.endsWith('.node'));
  for (const file of ['package.json', ...files.filter((it) => !it.startsWith('!')), ...binaries]) {
    cpSync(path.join(root, file), path.join(target, file), { recursive: true });
  }
}

module.exports = { copyPackage };
