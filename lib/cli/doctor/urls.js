'use strict';

// Compares base URLs as lists have them, with and without a final slash.

const { parseBaseUrl } = require('../server-options.js');

/** How many URLs a sentence names. */
const MAX_NAMED = 5;

/**
 * @param {string[]} urls
 * @param {string} href
 */
const listsServer = (urls, href) => urls.some((url) => parseBaseUrl(url)?.href === href);

/** @param {readonly string[]} urls */
function nameUrls(urls) {
  const rest = urls.length - MAX_NAMED;
  return urls.slice(0, MAX_NAMED).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

module.exports = { listsServer, nameUrls };
