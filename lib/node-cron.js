'use strict';

// Lets one server of the cluster run each task of node-cron 4.

const { ONE_SERVER_OPTIONS, shouldRun } = require('./one-server.js');
const { checkOptions } = require('./options.js');

/** @type {typeof import('./node-cron.d.ts').shazbotCoordinator} */
function shazbotCoordinator(options) {
  checkOptions('shazbotCoordinator', options, ONE_SERVER_OPTIONS);
  return { shouldRun: (key) => shouldRun(key, options) };
}

module.exports.shazbotCoordinator = shazbotCoordinator;
