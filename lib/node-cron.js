'use strict';

// Lets one server of the cluster run each task of node-cron 4.

const { shouldRun } = require('./one-server.js');

/** @type {typeof import('./node-cron.d.ts').shazbotCoordinator} */
function shazbotCoordinator(options) {
  return { shouldRun: (key) => shouldRun(key, options) };
}

module.exports.shazbotCoordinator = shazbotCoordinator;
