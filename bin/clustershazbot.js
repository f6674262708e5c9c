#!/usr/bin/env node
'use strict';

const { main } = require('../lib/cli/main.js');

let exitCode = 0;

process.stdout.on('error', (error) => {
  // The reader has closed the pipe, as `head` does.
  if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EPIPE') process.exit(exitCode);
  console.error(`Cannot write the output: ${error.message}`);
  process.exit(1);
});

// For a process that ends before the command has finished.
process.exitCode = 1;
main(process.argv.slice(2)).then(
  (code) => {
    exitCode = code;
    process.exitCode = code;
  },
  (error) => {
    console.error(error);
    exitCode = 1;
  },
);
