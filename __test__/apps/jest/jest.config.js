'use strict';

// The Jest configuration that __test__/jest.test.js runs.

const path = require('node:path');

/** @type {import('jest').Config} */
module.exports = {
  rootDir: __dirname,
  testMatch: ['<rootDir>/*.jest.js'],
  cacheDirectory: path.join(__dirname, '..', '..', '.work', 'jest-cache'),
  injectGlobals: false,
  // The test files are plain JavaScript.
  transform: {},
  watchman: false,
};
