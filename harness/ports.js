'use strict';

// Ports for tests: the demo and the tests share one port finder.
module.exports = require('../lib/cli/demo/free-ports.js');
