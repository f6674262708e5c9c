#!/usr/bin/env node
'use strict';

const { main } = require('../lib/cli/main.js');

// What a command that is read to its end, or that has none, ends with.
let code = 0;

// Whoever reads has seen enough, as `head` has.
process.stdout.on('error', (error) => {
  if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EPIPE') process.exit(code);
  console.error(`The output cannot be written: ${error.message}`);
  process.exit(1);
});

// Should it end before it has said so.
process.exitCode = 1;
main(process.argv.slice(2)).then(
  (result) => {
    code = result;
    process.exitCode = code;
  },
  (error) => {
    console.error(error);
    code = 1;
  },
);
