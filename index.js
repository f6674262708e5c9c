'use strict';

const { startBeat, stopBeat } = require('./lib/beat.js');
const { memberEvents } = require('./lib/events.js');
const { control, forgetLists, gossip, list, serverList } = require('./lib/requests.js');
const { registerHappy } = require('./lib/happy.js');
const { observer } = require('./lib/observe.js');
const { shazbotError } = require('./lib/errors.js');
const { engine } = require('./lib/engine.js');
const meter = require('./lib/meter.js');
const { status } = require('./lib/status.js');

const { shazbotEvents, tell, recent } = memberEvents(engine);

/** @type {NodeJS.Timeout | undefined} */
let beat;
let startedAt = 0;
// What the calls after them wait for or share: the start since the last shutdown, and the last shutdown.
/** @type {Promise<void> | undefined} */
let starting;
/** @type {Promise<void> | undefined} */
let leaving;

/** @type {import('./index.js').shazbotStart} */
const shazbotStart = () => {
  if (!starting) {
    const mine = start({ ...process.env }, leaving).catch((error) => {
      if (starting === mine) starting = undefined;
      throw error;
    });
    starting = mine;
  }
  return starting;
};

/**
 * @param {NodeJS.ProcessEnv} environment as it is when start is called, whatever it then waits for
 * @param {Promise<void> | undefined} before
 */
async function start(environment, before) {
  // Without a shutdown to wait for the handlers work at once.
  if (before) await before;
  const started = engine.start(environment, observer(tell));
  if (!('code' in started)) {
    beat ??= startBeat(engine);
    startedAt = Date.now();
  }
  const failure = 'code' in started ? started : await started;
  if (failure) {
    end();
    throw shazbotError(failure);
  }
  registerHappy(engine);
}

/** @type {import('./index.js').shazbotShutDown} */
const shazbotShutDown = async () => {
  if (starting) {
    starting = undefined;
    leaving = leave(leaving);
  }
  const last = leaving;
  await last;
  if (leaving === last) leaving = undefined;
};

/** @param {Promise<void> | undefined} before */
async function leave(before) {
  // A start that waits for the same shutdown has begun to wait before, and so is under way when this goes on.
  await before;
  try {
    await engine.leave();
  } finally {
    tell();
    end();
  }
}

function end() {
  stopBeat(beat);
  beat = undefined;
  engine.end();
  forgetLists(engine);
  meter.reset();
}

/** @type {import('./index.js').shazbotGossipRequest} */
const shazbotGossipRequest = async (authorizationHeader, body) => gossip(engine, authorizationHeader, body);

/** @type {import('./index.js').shazbotListRequest} */
const shazbotListRequest = async (authorizationHeader) => list(engine, authorizationHeader);

/** @type {import('./index.js').shazbotControlRequest} */
const shazbotControlRequest = async (authorizationHeader, message) => control(engine, authorizationHeader, message);

/** @type {import('./index.js').shazbotGetServerList} */
const shazbotGetServerList = (includeOffline = false) => serverList(engine, includeOffline);

/** @type {import('./index.js').shazbotStatus} */
const shazbotStatus = () => status(startedAt, recent());

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
module.exports.shazbotStatus = shazbotStatus;
module.exports.shazbotEvents = shazbotEvents;
module.exports.GossipServer = Object;
module.exports.ServerList = Object;
module.exports.GossipMessage = Object;
module.exports.ControlMessage = Object;
module.exports.Config = Object;
