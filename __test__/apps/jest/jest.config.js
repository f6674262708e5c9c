'use strict';

const path = require('node:path');

/** @type {import('jest').Config} */
module.exports = {
  rootDir: __dirname,
  testMatch: ['<rootDir>/*.jest.js'],
  cacheDirectory: path.join(__dirname, '..', '..', '.work', 'jest-cache'),
  injectGlobals: false,
  // Nothing here needs a compiler.
  transform: {},
  watchman: false,
};
