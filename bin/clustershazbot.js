#!/usr/bin/env node
'use strict';

const { main } = require('../lib/cli/main.js');

// Whoever reads has seen enough, as `head` has.
process.stdout.on('error', (error) => {
  if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EPIPE') process.exit(0);
  console.error(`The output cannot be written: ${error.message}`);
  process.exit(1);
});

// Should it end before it has said so.
process.exitCode = 1;
main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
