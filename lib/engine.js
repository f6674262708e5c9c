'use strict';

// The one engine of this copy of the package.

const { Engine } = require('./binary.js');

// Each worker thread and each Jest registry loads this file anew, and so has its own engine and its own environment.
module.exports = { engine: new Engine() };
