'use strict';

// The functions of the package, as a test server calls them, done by the plain JavaScript of version 1.

const { Baseline } = require('../cost/baseline.js');

const { SHAZBOT_BASE_URL = '', SHAZBOT_SECRET = '', SHAZBOT_CONTROL_SECRET = '' } = process.env;
const baseline = new Baseline({
  baseUrl: SHAZBOT_BASE_URL,
  secret: SHAZBOT_SECRET,
  controlSecret: SHAZBOT_CONTROL_SECRET,
});

/** @type {Pick<typeof import('../../..'), 'shazbotStart' | 'shazbotShutDown' | 'shazbotGossipRequest' | 'shazbotListRequest'>} */
module.exports = {
  shazbotStart: async () => {},
  shazbotShutDown: async () => {},
  shazbotGossipRequest: (header, body) => baseline.gossipRequest(header, body),
  shazbotListRequest: (header) => baseline.listRequest(header),
};
