'use strict';

// Shortens base URLs to the part in which the servers differ: https://api-3.internal:3000/ becomes api-3.

/** How many labels of a host name a short name may have. */
const MAX_LABELS = 3;
/** Short names up to this length have no line break. */
const MAX_UNBROKEN = 30;

/** @typedef {[start: number, end: number]} Place the part of a URL that is its short name */

/** The base URLs for which the short names were chosen. */
let namedUrls = '';
/** Counts the changes of the short names. */
let namesVersion = 0;
/** By base URL. @type {Map<string, Place>} */
let namePlaces = new Map();

/** @param {Status} status */
function updateNames({ members }) {
  const urls = members.map(({ baseUrl }) => baseUrl);
  const text = urls.join(' ');
  if (text === namedUrls) return;
  const places = chooseNames(urls);
  const isChanged = (/** @type {string} */ url) => String(places.get(url)) !== String(namePlaces.get(url));
  if (namedUrls.split(' ').some(isChanged)) namesVersion += 1;
  namedUrls = text;
  namePlaces = places;
}

/**
 * Chooses the first kind of name that works for more than half of the URLs: all that is left out must be equal. The other
 * URLs stay whole, so no two servers get the same name.
 * @param {string[]} urls
 */
function chooseNames(urls) {
  /** By kind, and then by what is left out. @type {Map<string, Map<string, [string, Place][]>>} */
  const kinds = new Map(['label 1', 'port', 'path', 'label 2', 'label 3', 'host'].map((kind) => [kind, new Map()]));
  for (const url of urls) {
    for (const [kind, place] of possibleNames(url)) {
      const rest = `${url.slice(0, place[0])} ${url.slice(place[1])}`;
      const groups = kinds.get(kind);
      if (groups?.has(rest)) groups.get(rest)?.push([url, place]);
      else groups?.set(rest, [[url, place]]);
    }
  }
  for (const groups of kinds.values()) {
    for (const named of groups.values()) if (named.length > 1 && named.length > urls.length / 2) return new Map(named);
  }
  return new Map();
}

/**
 * @param {string} url
 * @returns {[kind: string, place: Place][]}
 */
function possibleNames(url) {
  const parts = /^(https?:\/\/)(\[[^\]]*\]|[^/:]+)(:\d+)?(\/.*)$/.exec(url);
  if (!parts) return [];
  const [, scheme, host, port = '', path] = parts;
  const start = scheme.length;
  const end = start + host.length;
  const isAddress = /^[\d.]+$|^\[/.test(host);
  const labels = isAddress ? [] : host.split('.').slice(0, -1);
  /** @type {[string, Place][]} */
  const names = labels
    .slice(0, MAX_LABELS)
    .map((_, i) => [`label ${i + 1}`, [start, start + labels.slice(0, i + 1).join('.').length]]);
  if (port) names.push(['port', [end, end + port.length]]);
  if (path.length > 1) names.push(['path', [end + port.length + 1, url.length - 1]]);
  return [...names, ['host', [start, end]]];
}

/** @param {string} url */
const nameOf = (url) => url.slice(...(namePlaces.get(url) ?? [0]));

/**
 * An element that shows the short name. Screen readers, the search of the browser and the clipboard get the full URL.
 * @param {string} url
 */
function nameElement(url) {
  const [start, end] = namePlaces.get(url) ?? [0, url.length];
  const cut = (/** @type {string} */ text) => (text ? [make('span', 'cut', text)] : []);
  const isShort = namePlaces.has(url) && end - start < MAX_UNBROKEN;
  const element = make(
    'span',
    isShort ? 'name unbroken' : 'name',
    ...cut(url.slice(0, start)),
    url.slice(start, end),
    ...cut(url.slice(end)),
  );
  element.title = printableText(url);
  return element;
}

function forgetNames() {
  namedUrls = '';
  namePlaces = new Map();
}
