'use strict';

const { existsSync } = require('node:fs');
const { join } = require('node:path');

// The binary that `npm run build` puts beside index.js, named as napi-rs names them. Which libc a Linux has is told by
// the file that is there: asking Node costs 10 ms.
const abis = process.platform === 'linux' ? ['-gnu', '-musl'] : process.platform === 'win32' ? ['-msvc'] : [''];
const files = abis.map((abi) => join(__dirname, '..', `clustershazbot.${process.platform}-${process.arch}${abi}.node`));

/** @type {typeof import('./native')} */
module.exports = require(files.find((file) => existsSync(file)) ?? files[0]);
