'use strict';

const { startBeat, stopBeat } = require('./lib/beat.js');
const { control, forgetLists, gossip, serverList } = require('./lib/requests.js');
const { registerHappy } = require('./lib/happy.js');
const { observe } = require('./lib/observe.js');
const { shazbotError, settled } = require('./lib/errors.js');
const { Engine } = require('./lib/binary.js');

// One engine for each load of this file: worker threads and Jest's registries have their own, and their own environment.
const engine = new Engine();

/** @type {NodeJS.Timeout | undefined} */
let beat;
/** @type {Promise<void> | undefined} */
let leaving;

/** @type {import('./index.js').shazbotStart} */
const shazbotStart = async () => {
  while (leaving) await leaving;
  const starting = engine.start({ ...process.env }, observe);
  if ('code' in starting) throw shazbotError(starting);
  beat ??= startBeat(engine);
  const failure = await starting;
  registerHappy(engine);
  if (failure) {
    end();
    throw shazbotError(failure);
  }
};

/** @type {import('./index.js').shazbotShutDown} */
const shazbotShutDown = async () => {
  leaving ??= leave();
  await leaving;
};

async function leave() {
  try {
    await engine.leave();
  } finally {
    end();
    leaving = undefined;
  }
}

function end() {
  stopBeat(beat);
  beat = undefined;
  engine.end();
  forgetLists(engine);
}

/** @type {import('./index.js').shazbotGossipRequest} */
const shazbotGossipRequest = async (authorizationHeader, body) => gossip(engine, authorizationHeader, body);

/** @type {import('./index.js').shazbotListRequest} */
const shazbotListRequest = async (authorizationHeader) => {
  const isControl = settled(engine.isControl(typeof authorizationHeader === 'string' ? authorizationHeader : ''));
  return serverList(engine, isControl);
};

/** @type {import('./index.js').shazbotControlRequest} */
const shazbotControlRequest = async (authorizationHeader, message) => control(engine, authorizationHeader, message);

/** @type {import('./index.js').shazbotGetServerList} */
const shazbotGetServerList = (includeOffline = false) => serverList(engine, includeOffline);

registerHappy(engine);

// One literal line for each name: this is how Node finds the names for `import { … }`. Those of the interfaces are there
// because a compiler that sees one file at a time keeps their imports.
Object.defineProperty(module.exports, '__esModule', { value: true });
module.exports.shazbotStart = shazbotStart;
module.exports.shazbotShutDown = shazbotShutDown;
module.exports.shazbotGossipRequest = shazbotGossipRequest;
module.exports.shazbotListRequest = shazbotListRequest;
module.exports.shazbotControlRequest = shazbotControlRequest;
module.exports.shazbotGetServerList = shazbotGetServerList;
module.exports.GossipServer = Object;
module.exports.ServerList = Object;
module.exports.GossipMessage = Object;
module.exports.ControlMessage = Object;
module.exports.Config = Object;
