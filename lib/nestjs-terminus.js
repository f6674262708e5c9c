'use strict';

// A health indicator for @nestjs/terminus.

const { Inject, Injectable } = require('@nestjs/common');
const { HealthIndicatorService } = require('@nestjs/terminus');
const { counters } = require('./counters.js');
const { servers } = require('./server-lists.js');
const { isOff } = require('./start-with-app.js');

class ShazbotHealthIndicator {
  /** @param {import('@nestjs/terminus').HealthIndicatorService} service */
  constructor(service) {
    this.service = service;
  }

  /**
   * @template {string} Key
   * @param {Key} key
   * @param {{ minOnline?: number, where?: import('../index.js').Where }} [options]
   */
  isHealthy(key, { minOnline = 1, where } = {}) {
    const indicator = this.service.check(key);
    // With `enabled: false` nothing is started on purpose.
    if (isOff()) return indicator.up({ disabled: true });
    try {
      const online = where ? servers(where).length : countOnline();
      if (online >= minOnline) return indicator.up({ online });
      return indicator.down({ online, message: `Servers online: ${online}, required: at least ${minOnline}` });
    } catch (error) {
      return indicator.down(/** @type {Error} */ (error).message);
    }
  }
}

function countOnline() {
  const { members } = counters();
  // A suspect is still listed online.
  return members.online + members.suspect;
}

Injectable()(ShazbotHealthIndicator);
Inject(HealthIndicatorService)(ShazbotHealthIndicator, undefined, 0);

Object.defineProperty(module.exports, '__esModule', { value: true });
module.exports.ShazbotHealthIndicator = ShazbotHealthIndicator;
// For a default import in what compilers make of ES modules.
Object.defineProperty(module.exports, 'default', { value: module.exports });
