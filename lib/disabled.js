'use strict';

// Whether the program was told to stay out of the cluster: by `SHAZBOT_ENABLED=false`, or by `enabled: false` in the options of an
// application. Its lists are then empty instead of an error.

const { engine } = require('./engine.js');

let isSet = false;

/** @param {boolean} value */
function setDisabled(value) {
  isSet = value;
}

module.exports = { isDisabled: () => isSet && !engine.isWorking(), setDisabled };
