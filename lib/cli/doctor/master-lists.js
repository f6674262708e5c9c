'use strict';

// Checks of the master lists, as they are read from here.

const { redactUrl } = require('./list-files.js');
const { listsServer } = require('./server-findings.js');

/** @typedef {import('./doctor.js').Finding} Finding */

/**
 * @param {import('./facts.js').Facts} facts
 * @returns {Finding[]}
 */
function checkMasterLists({ masterLists, server }) {
  return masterLists.flatMap((list) => {
    const what = `master list ${redactUrl(list.url)}`;
    if (list.error) {
      const remedy = 'Check SHAZBOT_MASTER_LIST and SHAZBOT_MASTER_LIST_AUTH; see docs/master-list.md';
      return [{ what, is: 'wrong', says: `${list.error}. ${remedy}` }];
    }
    /** @type {Finding[]} */
    const findings = [{ what, is: 'fine', says: description(list, server.listedAs) }];
    const [first] = list.ignored;
    if (first) {
      const example = `for example ${redactUrl(first.url)}: ${first.reason}`;
      findings.push({
        what,
        is: 'worth a look',
        says: `this server ignores ${list.ignored.length} of them, ${example}`,
      });
    }
    return findings;
  });
}

/**
 * @param {import('./facts.js').MasterListFacts} list
 * @param {string} listedAs
 */
function description({ state, urls }, listedAs) {
  if (state === 'missing') return 'it does not exist yet: the first server writes it';
  if (state === 'empty') return 'it is empty: the first server writes it';
  const count = `it names ${urls.length} ${urls.length === 1 ? 'server' : 'servers'}`;
  if (urls.length === 0) return count;
  return `${count}, ${listsServer(urls, listedAs) ? 'including this one' : 'but not this one'}`;
}

module.exports = { checkMasterLists };
