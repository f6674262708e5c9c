'use strict';

// Picks a server for a request: two at random, and of these the one with fewer requests of this process under way.

const { Engine } = require('./binary.js');
const { offered, withHashes } = require('./offered.js');
const { checkOptions, kinds, shown } = require('./options.js');
const { serverAt, suspects } = require('./server-lists.js');
const { isHttpUrl, toBaseUrl } = require('./urls.js');
const { condition, conditions } = require('./where.js');

/** @typedef {import('../index.js').PickOptions} PickOptions */
/** @typedef {import('../index.js').ShazbotServer} ShazbotServer */
/** @typedef {import('./offered.js').Offered} Offered */

const PICK_OPTIONS = { where: condition, prefer: conditions, key: kinds.text, except: urls };

/** Requests of this process that wait for a response, by the base URL of the server. @type {Map<string, number>} */
const underWay = new Map();

/**
 * @param {PickOptions} [options]
 * @returns {ShazbotServer | undefined}
 */
function pick(options = {}) {
  checkOptions('shazbotPick', options, PICK_OPTIONS);
  return choose(options, baseUrls('shazbotPick', options.except));
}

/**
 * The same for options that were checked.
 * @param {Omit<PickOptions, 'except'>} options
 * @param {ReadonlySet<string>} excluded base URLs
 * @returns {ShazbotServer | undefined}
 */
function choose({ where, prefer = [], key }, excluded) {
  const suspected = suspects();
  const groups = [...prefer.map((preferred) => [where, preferred]), [where]];
  // A server that does not answer is better than none: others may reach it, and the suspicion may be wrong.
  for (const wantsSuspects of suspected.size > 0 ? [false, true] : [false]) {
    for (const conditions of groups) {
      const candidates = offered(conditions);
      const { lists } = candidates;
      const { places, hashes } =
        excluded.size + suspected.size === 0
          ? candidates
          : withHashes(lists, candidates.places.filter(isUsable(lists, excluded, suspected, wantsSuspects)));
      if (places.length === 0) continue;
      const place = key === undefined ? lessBusy(lists, places) : places[Number(Engine.owners(key, hashes, 1)[0])];
      return serverAt(lists, Number(place), suspected);
    }
  }
  return undefined;
}

/**
 * The kind of the option `except`. A string is iterable too: its characters would exclude no server.
 * @type {import('./options.js').Kind}
 */
function urls(name, value) {
  if (typeof value !== 'string' && typeof value?.[Symbol.iterator] === 'function') return undefined;
  return `${name} must be an array or a Set of base URLs, not ${shown(value)}`;
}

/**
 * @param {string} caller
 * @param {Iterable<string>} [except]
 */
function baseUrls(caller, except = []) {
  const all = Array.from(except);
  const wrong = all.findIndex((url) => !isHttpUrl(url));
  if (wrong >= 0) throw new TypeError(`${caller}: except has ${shown(all[wrong])}, which is not a base URL`);
  return new Set(all.map(toBaseUrl));
}

/**
 * @param {Offered['lists']} lists
 * @param {ReadonlySet<string>} excluded
 * @param {ReadonlySet<string>} suspected
 * @param {boolean} wantsSuspects
 * @returns {(place: number) => boolean}
 */
function isUsable({ online }, excluded, suspected, wantsSuspects) {
  return (place) => {
    const url = /** @type {string} */ (online.urls[place]);
    return !excluded.has(url) && suspected.has(url) === wantsSuspects;
  };
}

/**
 * @param {Offered['lists']} lists
 * @param {number[]} places
 */
function lessBusy({ online }, places) {
  const first = random(places.length);
  if (places.length === 1) return places[first];
  const other = (first + 1 + random(places.length - 1)) % places.length;
  const load = (/** @type {number} */ i) => underWay.get(String(online.urls[Number(places[i])])) ?? 0;
  return places[load(other) < load(first) ? other : first];
}

/** @param {number} count */
const random = (count) => Math.floor(Math.random() * count);

/**
 * Counts a request that begins now. The result ends it; further calls of it do nothing.
 * @param {string} baseUrl
 */
function beginRequest(baseUrl) {
  underWay.set(baseUrl, (underWay.get(baseUrl) ?? 0) + 1);
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    const left = Number(underWay.get(baseUrl)) - 1;
    if (left > 0) underWay.set(baseUrl, left);
    else underWay.delete(baseUrl);
  };
}

module.exports = { PICK_OPTIONS, baseUrls, beginRequest, choose, pick };
