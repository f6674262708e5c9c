'use strict';

// The public functions of the package: they start and stop the engine, and answer requests with it.

// Imported, because tests may fake the global timers.
const { setTimeout } = require('node:timers/promises');
const { setDisabled } = require('./lib/disabled.js');
const { engine } = require('./lib/engine.js');
const { announceEngine, emitPending, emitSoon, shazbotEvents } = require('./lib/events.js');
const { registerHappy } = require('./lib/happy.js');
const { startHeartbeat, stopHeartbeat } = require('./lib/heartbeat.js');
const { resetInboundCounters } = require('./lib/inbound-counters.js');
const { forgetListResponses } = require('./lib/list-response.js');
const { reportHandler } = require('./lib/logging.js');
const { checkArgument, checkSharedOptions, kinds } = require('./lib/options.js');
const { control, gossip, list } = require('./lib/requests.js');
const { forgetLists, serverList, servers } = require('./lib/server-lists.js');
const { rememberStart, startText, status } = require('./lib/status.js');
const { setTags } = require('./lib/tags.js');
const { trustedAuthorities } = require('./lib/trusted-authorities.js');
const { isLiteral } = require('./lib/unknown-names.js');
const { warningsOf } = require('./lib/warnings.js');

// Loaded by the first call: most programs use some of these only.
const offers = {
  owner: () => require('./lib/owner.js'),
  pick: () => require('./lib/pick.js'),
  ready: () => require('./lib/ready.js'),
};

/** The start since the last shutdown. @type {Promise<void> | undefined} */
let starting;
/** Whether that start has succeeded. */
let isStarted = false;
/** The last shutdown, for as long as it runs. @type {Promise<void> | undefined} */
let shuttingDown;
/** What the start waits for before it starts the engine. @type {ReturnType<typeof import('./lib/start-options.js').prepareStart> | undefined} */
let preparing;

/** @type {import('./index.js').shazbotStart} */
const shazbotStart = (options = {}) => {
  // The engine has failed since, or was disabled: there is nothing left to shut down.
  if (isStarted && !engine.isWorking()) {
    end();
    starting = undefined;
  }
  if (!starting) {
    const promise = start({ ...process.env }, options, shuttingDown).catch((error) => {
      if (starting === promise) starting = undefined;
      throw error;
    });
    starting = promise;
  }
  return starting;
};

/**
 * @param {NodeJS.ProcessEnv} environment copied when the start was called, since it may have to wait for a shutdown
 * @param {unknown} options
 * @param {Promise<void> | undefined} shutdown
 */
async function start(environment, options, shutdown) {
  // No `await` without a reason: requests that come right after the call are answered then.
  if (shutdown) await shutdown;
  // Loaded only now: they load much of Node.
  const { Discovery } = require('./lib/discovery.js');
  const { createLookUp } = require('./lib/look-up.js');
  const { prepareStart, startError } = require('./lib/start-options.js');
  preparing = prepareStart(environment, options);
  const prepared = preparing instanceof Promise ? await preparing : preparing;
  const report = reportHandler(emitSoon);
  setDisabled('start', prepared.isDisabled === true);
  if (prepared.isDisabled) {
    isStarted = true;
    report('START', 'not started, because SHAZBOT_ENABLED is false', false);
    return;
  }
  const warnings = warningsOf(engine);
  const discovery = prepared.discover && new Discovery(prepared.discover, warnings);
  const started = engine.start(
    prepared.environment,
    report,
    createLookUp(discovery),
    trustedAuthorities(prepared.environment),
  );
  if (!('code' in started)) {
    startHeartbeat(engine);
    rememberStart();
    if (prepared.taken) report('BASE_URL', prepared.taken, false);
    for (const doubt of prepared.doubts) warnings.warn('SHAZBOT_DOUBTFUL_CONFIG', doubt, doubt);
    announceEngine();
  }
  const failure = await started;
  if (failure) {
    end();
    throw startError(failure, prepared.doubts);
  }
  isStarted = true;
  registerHappy();
  // Only now does this server own keys: those who watch look again.
  if (engine.isWorking()) announceEngine();
  // A shutdown may have ended it meanwhile.
  if (engine.isWorking()) report('START', startText(prepared.environment.SHAZBOT_CLUSTER), false);
}

/** @param {import('./index.js').ShazbotShutDownOptions} [options] */
const shazbotShutDown = async (options) => {
  // As a listener it is called with the name of a signal, an error, null, or an object of a library that closes programs.
  if (isLiteral(options)) checkSharedOptions('shazbotShutDown', options, { drainFor: kinds.delay });
  const { drainFor = 0 } = Object(options);
  checkArgument('shazbotShutDown', 'drainFor', drainFor, kinds.delay);
  if (starting) {
    starting = undefined;
    shuttingDown = shutDown(shuttingDown, drainFor);
  }
  const promise = shuttingDown;
  await promise;
  if (shuttingDown === promise) shuttingDown = undefined;
};

/**
 * @param {Promise<void> | undefined} previous
 * @param {number} drainFor
 */
async function shutDown(previous, drainFor) {
  // The start that this shutdown ends began to wait for the previous one earlier, so it is under way after this line.
  await previous;
  // Its failure is that of the start. Without this, the engine would start after this shutdown.
  await Promise.resolve(preparing).catch(() => {});
  // Nobody finds this process at its base URL, where another one may run: that one must not be drained.
  if (drainFor > 0 && engine.isWorking() && engine.isFound()) {
    engine.control(false);
    forgetListResponses();
    await setTimeout(drainFor);
  }
  try {
    await engine.leave();
  } finally {
    emitPending();
    end();
  }
}

function end() {
  isStarted = false;
  setDisabled('start', false);
  stopHeartbeat();
  engine.end();
  forgetLists();
  forgetListResponses();
  resetInboundCounters();
  announceEngine();
}

/** @type {import('./index.js').shazbotGossipRequest} */
const shazbotGossipRequest = async (authorizationHeader, body) => gossip(authorizationHeader, body);

/** @type {import('./index.js').shazbotListRequest} */
const shazbotListRequest = async (authorizationHeader) => list(authorizationHeader);

/** @type {import('./index.js').shazbotControlRequest} */
const shazbotControlRequest = async (authorizationHeader, message) => control(authorizationHeader, message);

/** @type {import('./index.js').shazbotGetServerList} */
const shazbotGetServerList = (includeOffline = false) => serverList(includeOffline);

/** @type {import('./index.js').shazbotStatus} */
const shazbotStatus = () => status();

/** @type {import('./index.js').shazbotServers} */
const shazbotServers = (where) => servers(where);

/** @type {import('./index.js').shazbotSetTags} */
const shazbotSetTags = (tags) => setTags(tags);

/** @type {import('./index.js').shazbotPick} */
const shazbotPick = (options) => offers.pick().pick(options);

/** @type {typeof import('./index.js').shazbotOwner} */
const shazbotOwner = Object.assign(
  (/** @type {string} */ key, /** @type {any} */ options) => offers.owner().owner(key, options),
  {
    watch: (/** @type {string} */ key, /** @type {any} */ listener, /** @type {any} */ options) =>
      offers.owner().watch(key, listener, options),
  },
);

/** @type {import('./index.js').shazbotOwners} */
const shazbotOwners = (key, count, options) => offers.owner().owners(key, count, options);

/** @type {import('./index.js').shazbotReady} */
const shazbotReady = (isReady) => offers.ready().setReady(isReady);

/** @type {import('./index.js').shazbotWaitFor} */
const shazbotWaitFor = (options) => offers.ready().waitFor(options);

registerHappy();

// Node finds the names for `import { … }` only if each has a literal line of its own. The interfaces are exported as values
// too, because a compiler that sees one file at a time keeps their imports.
Object.defineProperty(module.exports, '__esModule', { value: true });
module.exports.shazbotStart = shazbotStart;
module.exports.shazbotShutDown = shazbotShutDown;
module.exports.shazbotGossipRequest = shazbotGossipRequest;
module.exports.shazbotListRequest = shazbotListRequest;
module.exports.shazbotControlRequest = shazbotControlRequest;
module.exports.shazbotGetServerList = shazbotGetServerList;
module.exports.shazbotStatus = shazbotStatus;
module.exports.shazbotServers = shazbotServers;
module.exports.shazbotSetTags = shazbotSetTags;
module.exports.shazbotPick = shazbotPick;
module.exports.shazbotOwner = shazbotOwner;
module.exports.shazbotOwners = shazbotOwners;
module.exports.shazbotReady = shazbotReady;
module.exports.shazbotWaitFor = shazbotWaitFor;
module.exports.shazbotEvents = shazbotEvents;
module.exports.GossipServer = Object;
module.exports.ServerList = Object;
module.exports.GossipMessage = Object;
module.exports.ControlMessage = Object;
module.exports.Config = Object;
// For `import shazbot from 'clustershazbot'` as compilers translate it. Not enumerable, since it is a cycle. Without a literal
// name, since "Are the types wrong?" takes that for an export that the module itself does not have.
const [name] = ['default'];
Object.defineProperty(module.exports, name, { value: module.exports });
