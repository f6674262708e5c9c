'use strict';

// Whether the program was told to stay out of the cluster: by `SHAZBOT_ENABLED=false`, or by `enabled: false` in the options of an
// application. Its lists are then empty instead of an error.

const { engine } = require('./engine.js');

/** Who told it so: another application of the process may start and end the engine meanwhile. @type {Set<'start' | 'application'>} */
const reasons = new Set();

/** @param {'start' | 'application'} by @param {boolean} value */
function setDisabled(by, value) {
  if (value) reasons.add(by);
  else reasons.delete(by);
}

module.exports = { isDisabled: () => reasons.size > 0 && !engine.isWorking(), setDisabled };
