'use strict';

// Base URLs of servers, as programs write them.

const { URL } = require('node:url');

/**
 * @param {unknown} text
 * @returns {text is string}
 */
function isHttpUrl(text) {
  return typeof text === 'string' && URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

/**
 * A base URL as the lists have it: normalised, with its final slash.
 * @param {string} url
 */
function toBaseUrl(url) {
  const { href } = new URL(url);
  return href.endsWith('/') ? href : `${href}/`;
}

module.exports = { isHttpUrl, toBaseUrl };
