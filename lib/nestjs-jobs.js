'use strict';

// Lets one server of the cluster run the scheduled methods of a Nest application.

const { SetMetadata } = require('@nestjs/common');
const { ONE_SERVER_OPTIONS, shouldRun } = require('./one-server.js');
const { checkArgument, checkOptions, kinds } = require('./options.js');

/** @typedef {import('../index.js').OneServerOptions} Options */

// What the decorators of @nestjs/schedule set. The application may not have the package.
const SCHEDULER_NAME = 'SCHEDULER_NAME';
const SCHEDULER_TYPE = 'SCHEDULER_TYPE';

/** Set on methods that `scheduleOnOneServer` leaves as they are. */
const IS_DECIDED = 'clustershazbot:isDecided';

/** Nest loads reflect-metadata, which has no types here. @type {any} */
const { defineMetadata, getMetadata, getOwnMetadataKeys } = Reflect;

/** @type {typeof import('./nestjs.d.ts').OnOneServer} */
function OnOneServer(key, options) {
  if (key !== undefined) checkArgument('OnOneServer', 'key', key, kinds.text);
  checkOptions('OnOneServer', options, ONE_SERVER_OPTIONS);
  return (target, name, descriptor) => {
    const method = /** @type {any} */ (descriptor.value);
    const value = onOneServer(method, key ?? `${target.constructor.name}.${String(name)}`, options);
    defineMetadata(IS_DECIDED, true, value);
    descriptor.value = /** @type {any} */ (value);
  };
}

/** @type {typeof import('./nestjs.d.ts').OnEachServer} */
const OnEachServer = () => SetMetadata(IS_DECIDED, true);

/** @type {typeof import('./nestjs.d.ts').scheduleOnOneServer} */
function scheduleOnOneServer(schedule, options) {
  checkOptions('scheduleOnOneServer', options, ONE_SERVER_OPTIONS);
  const Explorer = /** @type {any} */ (schedule.providers?.find((it) => 'prototype' in it && isExplorer(it.prototype)));
  if (!Explorer) {
    throw new TypeError(
      'scheduleOnOneServer needs ScheduleModule.forRoot() or forRootAsync() of @nestjs/schedule 5, 6 or 12. With another ' +
        'version, decorate each job with @OnOneServer()',
    );
  }
  // Not a change of the methods themselves: the application may call one, for example to fill a cache when it starts.
  class OneServerExplorer extends Explorer {
    /**
     * @param {any} instance of a provider or a controller
     * @param {string} name
     */
    lookupSchedulers(instance, name) {
      const method = instance[name];
      if (!hasJob(method)) return super.lookupSchedulers(instance, name);
      const job = getMetadata(SCHEDULER_NAME, method) ?? `${instance.constructor.name}.${name}`;
      const value = onOneServer(method.bind(instance), job, options, method);
      return super.lookupSchedulers(Object.create(instance, { [name]: { value } }), name);
    }
  }
  const replaced = { provide: Explorer, useClass: OneServerExplorer };
  return { ...schedule, providers: schedule.providers?.map((it) => (it === Explorer ? replaced : it)) };
}

/** @param {any} prototype */
const isExplorer = (prototype) => typeof prototype?.lookupSchedulers === 'function';

/** @param {unknown} method */
const hasJob = (method) =>
  typeof method === 'function' && getMetadata(SCHEDULER_TYPE, method) !== undefined && !getMetadata(IS_DECIDED, method);

/**
 * @param {Function} method
 * @param {string} job
 * @param {Options | undefined} options
 * @param {Function} [decorated] has the metadata of other decorators
 */
function onOneServer(method, job, options, decorated = method) {
  const { name } = decorated;
  const value = {
    /** @this {unknown} @param {any[]} args */
    [name](...args) {
      return shouldRun(job, options) ? method.apply(this, args) : undefined;
    },
  }[name];
  for (const it of getOwnMetadataKeys(decorated)) defineMetadata(it, getMetadata(it, decorated), value);
  return value;
}

module.exports = { OnEachServer, OnOneServer, scheduleOnOneServer };
