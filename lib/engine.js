'use strict';

const { Engine } = require('./binary.js');

// One engine for each load of this file: worker threads and Jest's registries have their own, and their own environment.
module.exports = { engine: new Engine() };
