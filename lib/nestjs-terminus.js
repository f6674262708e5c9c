'use strict';

// A health indicator for @nestjs/terminus.

const { Inject, Injectable } = require('@nestjs/common');
const { ModuleRef } = require('@nestjs/core');
const { HealthIndicatorService } = require('@nestjs/terminus');
const { shazbotGetServerList, shazbotServers } = require('../index.js');
const { isDisabled } = require('./disabled.js');
const { ShazbotService } = require('./nestjs.js');
const { checkOptions, kinds } = require('./options.js');
const { condition } = require('./where.js');

/** What an application without ShazbotModule has, which starts the engine itself. */
const functions = {
  list: shazbotGetServerList,
  servers: shazbotServers,
};

class ShazbotHealthIndicator {
  /**
   * @param {import('@nestjs/terminus').HealthIndicatorService} service
   * @param {import('@nestjs/core').ModuleRef} moduleRef
   */
  constructor(service, moduleRef) {
    this.service = service;
    this.moduleRef = moduleRef;
  }

  /**
   * @template {string} Key
   * @param {Key} key
   * @param {{ minOnline?: number, where?: import('../index.js').Where }} [options]
   */
  isHealthy(key, options = {}) {
    checkOptions('isHealthy', options, { minOnline: kinds.count, where: condition });
    const { minOnline = 1, where } = options;
    const indicator = this.service.check(key);
    const cluster = this.#cluster();
    // Nothing was started, on purpose.
    if (isDisabled()) return indicator.up({ disabled: true });
    try {
      const { length: online } = where ? cluster.servers(where) : cluster.list().online;
      if (online >= minOnline) return indicator.up({ online });
      return indicator.down({ online, message: `Servers online: ${online}, required: at least ${minOnline}` });
    } catch (error) {
      return indicator.down(/** @type {Error} */ (error).message);
    }
  }

  /**
   * The service of the application, in any of its modules. A test may have replaced it.
   * @returns {Pick<import('./nestjs.d.ts').ShazbotService, 'list' | 'servers'>}
   */
  #cluster() {
    try {
      return this.moduleRef.get(ShazbotService, { strict: false });
    } catch {
      return functions;
    }
  }
}

Injectable()(ShazbotHealthIndicator);
Inject(HealthIndicatorService)(ShazbotHealthIndicator, undefined, 0);
Inject(ModuleRef)(ShazbotHealthIndicator, undefined, 1);

module.exports.ShazbotHealthIndicator = ShazbotHealthIndicator;
