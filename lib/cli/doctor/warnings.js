'use strict';

// Shows the warnings that hold now on the servers that were asked, each once with the servers that report it.

const { formatDuration } = require('../terminal.js');
const { keepsApart } = require('../warnings.js');
const { nameUrls } = require('./urls.js');

/** One cause gives a warning about each other server. They are one row. */
const OF_EACH_SERVER = new Set(['SHAZBOT_PEER_REFUSED_SECRET', 'SHAZBOT_WRONG_CLUSTER']);

/** @typedef {import('../warnings.js').Warning} Warning */

/**
 * @param {Pick<import('./facts.js').Facts, 'own' | 'others'>} facts
 * @returns {import('../commands/doctor.js').Finding[]}
 */
function checkWarnings({ own, others }) {
  /** @type {Map<string, { warning: Warning, age: number, by: Set<string>, messages: Set<string> }>} */
  const found = new Map();
  for (const { url, status } of [own, ...others]) {
    // A server of an older version reports none.
    for (const warning of status?.warnings ?? []) {
      const key = OF_EACH_SERVER.has(warning.code) ? warning.code : `${warning.code} ${warning.message}`;
      const known = found.get(key) ?? { warning, age: 0, by: new Set(), messages: new Set() };
      known.age = Math.max(known.age, Number(status?.at) - warning.since);
      known.by.add(url.href);
      known.messages.add(warning.message);
      found.set(key, known);
    }
  }
  return [...found.values()].map(({ warning, age, by, messages }) => ({
    result: keepsApart(warning) ? 'fail' : 'warn',
    check: 'warnings',
    found: `${warning.code} for ${formatDuration(age)}, as ${nameUrls([...by])} ${by.size === 1 ? 'reports' : 'report'}`,
    advice: warning.message + (messages.size > 1 ? ` (${messages.size - 1} more with this code)` : ''),
  }));
}

module.exports = { checkWarnings };
