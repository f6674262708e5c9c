'use strict';

// Shows the warnings that hold now on the servers that were asked, each once with the servers that report it.

const { formatDuration } = require('../terminal.js');
const { keepsApart } = require('../warnings.js');
const { nameUrls } = require('./urls.js');

/** @typedef {import('../warnings.js').Warning} Warning */

/**
 * @param {Pick<import('./facts.js').Facts, 'own' | 'others'>} facts
 * @returns {import('../commands/doctor.js').Finding[]}
 */
function checkWarnings({ own, others }) {
  /** @type {Map<string, { warning: Warning, age: number, by: string[] }>} */
  const found = new Map();
  for (const { url, status } of [own, ...others]) {
    // A server of an older version reports none.
    for (const warning of status?.warnings ?? []) {
      const key = `${warning.code} ${warning.message}`;
      const known = found.get(key) ?? { warning, age: 0, by: [] };
      const age = Math.max(known.age, Number(status?.at) - warning.since);
      found.set(key, { warning, age, by: [...known.by, url.href] });
    }
  }
  return [...found.values()].map(({ warning, age, by }) => ({
    result: keepsApart(warning) ? 'fail' : 'warn',
    check: 'warnings',
    found: `${warning.code} for ${formatDuration(age)}, as ${nameUrls(by)} ${by.length === 1 ? 'reports' : 'report'}`,
    advice: warning.message,
  }));
}

module.exports = { checkWarnings };
