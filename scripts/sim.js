'use strict';

// Builds the simulator and runs it with the given options: npm run sim -- --help

const { SIMULATOR, execute } = require('./shared/cargo.js');

process.exit(execute('cargo', ['run', ...SIMULATOR, '--', ...process.argv.slice(2)]));
