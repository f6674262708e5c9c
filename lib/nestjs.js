'use strict';

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
  VERSION_NEUTRAL,
} = require('@nestjs/common');
const { HttpAdapterHost } = require('@nestjs/core');
const { clearTimeout, setTimeout } = require('node:timers');
const { shazbotEvents, shazbotGetServerList, shazbotShutDown, shazbotStart, shazbotStatus } = require('../index.js');
const { engine } = require('./engine.js');
const { settled } = require('./errors.js');
const { MOUNT, PATHS, answer } = require('./routes.js');

/** How long the application waits for the first round before it listens, ms: others ask it meanwhile. */
const FIRST_ROUND = 1_000;
/** How long after it listens it is looked whether a signal closes the application, ms. */
const HOOKS = 1_000;

/** @typedef {import('@nestjs/core').HttpAdapterHost} Host */
/** @typedef {import('./nestjs.d.ts').ShazbotModuleOptions} Options */

/** Those of this process that have started the cluster: the last of them to close leaves it. @type {Set<ShazbotService>} */
const running = new Set();

class ShazbotService {
  /** @param {Host} host */
  constructor(host) {
    this.host = host;
    this.events = shazbotEvents;
  }

  list(includeOffline = false) {
    return shazbotGetServerList(includeOffline);
  }

  status() {
    return shazbotStatus();
  }

  drain() {
    settled(engine.control(false));
  }

  undrain() {
    settled(engine.control(true));
  }

  async onApplicationBootstrap() {
    // A program without HTTP, such as a command, answers nobody: it would be called dead, under the name of a server.
    if (!this.host.httpAdapter) return;
    running.add(this);
    this.host.listen$.subscribe(() => setTimeout(warnWithoutHooks, HOOKS).unref());
    await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, FIRST_ROUND);
      // What is wrong with the configuration rejects at once. What comes later the engine has warned of.
      const done = () => clearTimeout(timer);
      shazbotStart().finally(done).then(resolve, reject);
    }).catch((error) => {
      running.delete(this);
      throw error;
    });
  }

  /** Nest stops listening after it. */
  async beforeApplicationShutdown() {
    if (running.delete(this) && running.size === 0) await shazbotShutDown();
  }
}

/**
 * Nest does not say whether its shutdown hooks are enabled, nor hand its application to a module. But it listens to
 * signals then; and where another listens, that one may close the application.
 */
function warnWithoutHooks() {
  if (process.listenerCount('SIGTERM') + process.listenerCount('SIGINT') > 0) return;
  new Logger('ShazbotModule').warn(
    'Nothing closes the application on SIGTERM or SIGINT, so that the cluster calls this server dead in place of ' +
      'hearing that it leaves: call app.enableShutdownHooks() before app.listen().',
  );
}

class ShazbotController {
  /**
   * @param {Host} host
   * @param {Options} options
   */
  constructor(host, options) {
    this.host = host;
    this.options = options;
  }
}

for (const path of PATHS) {
  const name = path.slice(1) || 'page';
  /**
   * The answer is sent here, so that interceptors do not wrap what other servers read.
   * @this {ShazbotController}
   * @param {any} request of Express or Fastify
   * @param {unknown} response
   */
  const value = async function (request, response) {
    const { httpAdapter } = this.host;
    const given = { path, incoming: request.raw ?? request, body: request.body };
    const answered = await answer(given, this.options);
    if (!answered) throw new NotFoundException();
    for (const [header, text] of Object.entries(answered.headers)) httpAdapter.setHeader(response, header, text);
    httpAdapter.reply(response, answered.body.toString(), answered.status);
  };
  const descriptor = { value, writable: true, configurable: true };
  Object.defineProperty(ShazbotController.prototype, name, descriptor);
  Req()(ShazbotController.prototype, name, 0);
  Res()(ShazbotController.prototype, name, 1);
  All(path)(ShazbotController.prototype, name, descriptor);
}

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder({ moduleName: 'Shazbot' })
  .setClassMethodName('forRoot')
  .setExtras({ isGlobal: false }, (definition, { isGlobal }) => ({ ...definition, global: isGlobal }))
  .build();

class ShazbotModule extends ConfigurableModuleClass {
  /** @param {Options & { isGlobal?: boolean }} [options] */
  static forRoot(options = {}) {
    // biome-ignore lint/complexity/noThisInStatic: it makes a module of the class that it is called on
    return super.forRoot(options);
  }
}

// The decorators, in the only syntax that JavaScript has for them. What a constructor takes is named: many compilers write
// no metadata of it.
Injectable()(ShazbotService);
Inject(HttpAdapterHost)(ShazbotService, undefined, 0);
// Others know no version of an API.
Controller({ path: MOUNT, version: VERSION_NEUTRAL })(ShazbotController);
Inject(HttpAdapterHost)(ShazbotController, undefined, 0);
Inject(MODULE_OPTIONS_TOKEN)(ShazbotController, undefined, 1);
Module({ controllers: [ShazbotController], providers: [ShazbotService], exports: [ShazbotService] })(ShazbotModule);

Object.defineProperty(module.exports, '__esModule', { value: true });
module.exports.ShazbotController = ShazbotController;
module.exports.ShazbotModule = ShazbotModule;
module.exports.ShazbotService = ShazbotService;
