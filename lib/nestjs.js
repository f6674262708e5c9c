'use strict';

// A module for Nest: the routes as a controller, and a service that starts and leaves the cluster with the application.

const {
  All,
  ConfigurableModuleBuilder,
  Controller,
  Inject,
  Injectable,
  Logger,
  Module,
  NotFoundException,
  Req,
  Res,
  SetMetadata,
  VERSION_NEUTRAL,
} = require('@nestjs/common');
const { HttpAdapterHost } = require('@nestjs/core');
const { errorMonitor } = require('node:events');
const { setTimeout } = require('node:timers');
const { isDeepStrictEqual } = require('node:util');
const {
  shazbotEvents,
  shazbotGetServerList,
  shazbotOwner,
  shazbotOwners,
  shazbotPick,
  shazbotReady,
  shazbotServers,
  shazbotSetTags,
  shazbotStatus,
  shazbotWaitFor,
} = require('../index.js');
const { START_OPTIONS } = require('./config.js');
const { isDisabled, setDisabled } = require('./disabled.js');
const { engine } = require('./engine.js');
const { unwrap } = require('./errors.js');
const { OnEachServer, OnOneServer, scheduleOnOneServer } = require('./nestjs-jobs.js');
const { checkOptions, kinds } = require('./options.js');
const { MOUNT, endsWithPath } = require('./paths.js');
const { PATHS, ROUTER_OPTIONS, handleRequest } = require('./routes.js');
const { send } = require('./send.js');
const { closeApp, openApp, startWithApp } = require('./start-with-app.js');

/** Time after which an application that listens should have a listener for signals. */
const HOOKS_CHECK_DELAY_MS = 1_000;

// What the decorators ApiExcludeController of @nestjs/swagger and SkipThrottle of @nestjs/throttler set. The application may have
// neither package.
const API_EXCLUDE_CONTROLLER = 'swagger/apiExcludeController';
const THROTTLER_SKIP_DEFAULT = 'THROTTLER:SKIPdefault';

/** Nest removes the last two from what it gives the service. */
const OPTIONS = {
  ...START_OPTIONS,
  ...ROUTER_OPTIONS,
  enabled: kinds.flag,
  drainFor: kinds.delay,
  isGlobal: kinds.flag,
  decorators: kinds.list,
};

/** What Nest takes for `forRootAsync`, and the extras. All other options belong in what its factory returns. */
const ASYNC_OPTIONS = {
  imports: kinds.any,
  inject: kinds.any,
  provideInjectionTokensFrom: kinds.any,
  useClass: kinds.any,
  useExisting: kinds.any,
  useFactory: kinds.any,
  isGlobal: kinds.flag,
  decorators: kinds.list,
};

/** The options of each application, which must have them only once. @type {WeakMap<Host, Options>} */
const optionsOf = new WeakMap();

/** @typedef {import('@nestjs/core').HttpAdapterHost} Host */
/** @typedef {import('./nestjs.d.ts').ShazbotModuleOptions} Options */
/** @typedef {import('./nestjs.d.ts').ShazbotModuleExtras} Extras */

const logger = new Logger('ShazbotModule');
/** Also if the application has replaced Nest's logger by its own, or has turned it off. */
const appLogger = {
  info: (/** @type {string} */ message) => logger.log(message),
  warn: (/** @type {string} */ message) => logger.warn(message),
  takesWarnings() {
    const { localInstance: used } = /** @type {any} */ (logger);
    // Not Logger.isLevelEnabled: on Nest 11 it is false until the application has chosen levels.
    return used !== undefined && (used.isLevelEnabled?.('warn') ?? true);
  },
};

class ShazbotService {
  /**
   * @param {Host} host
   * @param {Options} options
   */
  constructor(host, options) {
    checkOptions('ShazbotModule', options, OPTIONS);
    refuseOthers(host, options);
    this.host = host;
    this.options = options;
    this.events = shazbotEvents;
    this.isClosed = false;
    if (options.enabled === false) setDisabled('application', true);
  }

  list(includeOffline = false) {
    return shazbotGetServerList(includeOffline);
  }

  /** @param {import('../index.js').Where} [where] */
  servers(where) {
    return shazbotServers(where);
  }

  /** @param {import('../index.js').Tags} tags */
  setTags(tags) {
    shazbotSetTags(tags);
  }

  /** @param {import('../index.js').PickOptions} [options] */
  pick(options) {
    return shazbotPick(options);
  }

  /**
   * @param {string} key
   * @param {import('../index.js').OwnerOptions} [options]
   */
  owner(key, options) {
    return shazbotOwner(key, options);
  }

  /**
   * @param {string} key
   * @param {number} count
   * @param {import('../index.js').OwnerOptions} [options]
   */
  owners(key, count, options) {
    return shazbotOwners(key, count, options);
  }

  /** @param {Parameters<typeof shazbotWaitFor>[0]} [options] */
  waitFor(options) {
    return shazbotWaitFor(options);
  }

  /**
   * @param {string} path
   * @param {import('./fetch.d.ts').ShazbotFetchInit} [init]
   */
  fetch(path, init) {
    return require('./fetch.js').shazbotFetch(path, init);
  }

  /** @param {boolean} [isReady] */
  ready(isReady) {
    shazbotReady(isReady);
  }

  status() {
    return shazbotStatus();
  }

  drain() {
    if (!isDisabled()) unwrap(engine.control(false));
  }

  undrain() {
    if (!isDisabled()) unwrap(engine.control(true));
  }

  async onApplicationBootstrap() {
    // A program without HTTP, such as a command, cannot answer: others would list it, or the server it belongs to, as failed.
    // Nest calls this also if the application was closed while it started.
    if (!this.host.httpAdapter || this.options.enabled === false || this.isClosed) return;
    openApp(this, appLogger);
    this.#leaveIfItCannotListen();
    this.host.listen$.subscribe(() => setTimeout(warnWithoutHooks, HOOKS_CHECK_DELAY_MS).unref());
    await startWithApp(this.options).catch(async (error) => {
      await closeApp(this);
      throw error;
    });
  }

  /** Nest still answers requests when it calls this. */
  async beforeApplicationShutdown() {
    this.isClosed = true;
    await closeApp(this, this.options);
  }

  /** Nest has no hook for this. Other servers cannot reach this one, for example because its port is in use. */
  #leaveIfItCannotListen() {
    const server = this.host.httpAdapter.getHttpServer();
    // Not a listener for `error`: with one, Node takes the error as handled.
    const leave = () => {
      if (!server.listening) closeApp(this, { drainFor: 0 }).catch(() => {});
    };
    server.once(errorMonitor, leave);
    server.once('listening', () => server.removeListener(errorMonitor, leave));
  }
}

/**
 * Nest makes a module of each call of `forRoot`. The engine would take the options of the first.
 * @param {Host} host one for each application
 * @param {Options} options
 */
function refuseOthers(host, options) {
  const first = optionsOf.get(host);
  if (first && !isDeepStrictEqual(first, options)) {
    throw new TypeError(
      'ShazbotModule: forRoot is called twice in this application, with different options (functions must be the same object). ' +
        'Call it in one module only, with isGlobal: true if others need ShazbotService',
    );
  }
  optionsOf.set(host, options);
}

/**
 * A module cannot ask Nest whether its shutdown hooks are enabled. But with them Nest listens to signals; any other
 * listener may close the application too.
 */
function warnWithoutHooks() {
  if (process.listenerCount('SIGTERM') + process.listenerCount('SIGINT') > 0) return;
  logger.warn(
    'Nothing closes the application on SIGTERM or SIGINT: this server cannot tell the cluster that it leaves, and will be ' +
      'listed as failed. Call app.enableShutdownHooks() before app.listen().',
  );
}

class ShazbotController {
  /** @param {Options} options */
  constructor(options) {
    this.options = options;
  }
}

for (const path of PATHS) {
  const name = path.slice(1) || 'page';
  /**
   * Sends the response itself: interceptors of the application must not change what other servers read.
   * @this {ShazbotController}
   * @param {any} request of Express or Fastify
   * @param {any} response
   */
  const value = async function (request, response) {
    const incoming = request.raw ?? request;
    const isExact = endsWithPath(request.originalUrl ?? incoming.url, MOUNT + path);
    const answer = isExact && (await handleRequest({ path, incoming, body: request.body }, this.options));
    if (!answer) throw new NotFoundException();
    const { status, headers, body } = answer;
    if (response.raw) response.code(status).headers(headers).send(body);
    else send(response, answer);
  };
  // Guards and loggers of the application may show it.
  Object.defineProperty(value, 'name', { value: name });
  const descriptor = { value, writable: true, configurable: true };
  Object.defineProperty(ShazbotController.prototype, name, descriptor);
  Req()(ShazbotController.prototype, name, 0);
  Res()(ShazbotController.prototype, name, 1);
  // All methods: `handleRequest` answers the others with 405, and Fastify does not accept a second route for them.
  All(path)(ShazbotController.prototype, name, descriptor);
}

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder({ moduleName: 'Shazbot' })
  .setClassMethodName('forRoot')
  .setExtras(
    /** @type {Required<Extras>} */ ({ isGlobal: false, decorators: [] }),
    (definition, { isGlobal = false, decorators = [] }) => {
      for (const decorate of decorators) decorate(ShazbotController);
      return { ...definition, global: isGlobal };
    },
  )
  .build();

class ShazbotModule extends ConfigurableModuleClass {
  /** @param {Options & Extras} [options] */
  static forRoot(options = {}) {
    // biome-ignore lint/complexity/noThisInStatic: Nest uses the class on which it is called as the module
    return super.forRoot(options);
  }

  /** @param {Parameters<typeof ConfigurableModuleClass.forRootAsync>[0]} options */
  static forRootAsync(options) {
    const inside = Object.keys(options ?? {}).find(
      (name) => Object.hasOwn(OPTIONS, name) && !Object.hasOwn(ASYNC_OPTIONS, name),
    );
    if (inside) throw new TypeError(`ShazbotModule.forRootAsync: ${inside} belongs in what useFactory returns`);
    checkOptions('ShazbotModule.forRootAsync', options, ASYNC_OPTIONS);
    // biome-ignore lint/complexity/noThisInStatic: Nest uses the class on which it is called as the module
    return super.forRootAsync(options);
  }
}

// Decorators as function calls, since JavaScript has no syntax for them. `Inject` names each parameter of a constructor,
// because JavaScript has no type metadata.
Injectable()(ShazbotService);
Inject(HttpAdapterHost)(ShazbotService, undefined, 0);
Inject(MODULE_OPTIONS_TOKEN)(ShazbotService, undefined, 1);
// Other servers ask without an API version.
Controller({ path: MOUNT, version: VERSION_NEUTRAL })(ShazbotController);
SetMetadata(API_EXCLUDE_CONTROLLER, [true])(ShazbotController);
SetMetadata(THROTTLER_SKIP_DEFAULT, true)(ShazbotController);
Inject(MODULE_OPTIONS_TOKEN)(ShazbotController, undefined, 0);
Module({ controllers: [ShazbotController], providers: [ShazbotService], exports: [ShazbotService] })(ShazbotModule);

module.exports.OnEachServer = OnEachServer;
module.exports.OnOneServer = OnOneServer;
module.exports.scheduleOnOneServer = scheduleOnOneServer;
module.exports.ShazbotController = ShazbotController;
module.exports.ShazbotModule = ShazbotModule;
module.exports.ShazbotService = ShazbotService;
