'use strict';

// Checks of the names in SHAZBOT_MASTER_LIST that lead to servers by DNS.

const { lookup, resolveSrv } = require('node:dns/promises');
const { parseBaseUrl } = require('../server-options.js');

/** @typedef {import('./doctor.js').Finding} Finding */

const NAME = /^(dns|srv)\+(.+)$/i;
/** How many addresses are printed. */
const MAX_SHOWN = 5;

/**
 * Looks the names up, as the server does it.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Finding[]>}
 */
async function checkNames({ SHAZBOT_MASTER_LIST: lists = '' }) {
  return Promise.all(
    lists
      .split(/\s+/)
      .filter((it) => NAME.test(it))
      .map(checkName),
  );
}

/**
 * @param {string} name
 * @returns {Promise<Finding>}
 */
async function checkName(name) {
  const [, kind = '', text = ''] = NAME.exec(name) ?? [];
  const url = parseBaseUrl(text);
  const what = `master list ${url ? `${kind}+${url.href}` : kind}`;
  // The engine has reported what is wrong with it.
  if (!url) return { what, is: 'wrong', says: 'it is not a name such as dns+http://app:3000/' };
  try {
    const places = kind.toLowerCase() === 'srv' ? await srvPlaces(url.hostname) : await addresses(url.hostname);
    const rest = places.length > MAX_SHOWN ? ', …' : '';
    const noun = places.length === 1 ? 'place' : 'places';
    const says = `it leads to ${places.length} ${noun}: ${places.slice(0, MAX_SHOWN).join(', ')}${rest}`;
    return { what, is: 'fine', says };
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    // A name without records is normal before the first server runs.
    const says = `it cannot be looked up (${code ?? message}): do servers run that it should lead to, and is it spelled right?`;
    return { what, is: 'worth a look', says };
  }
}

/** @param {string} name */
const addresses = async (name) => (await lookup(name, { all: true })).map(({ address }) => address);

/** @param {string} name */
const srvPlaces = async (name) => (await resolveSrv(name)).map((record) => `${record.name}:${record.port}`);

module.exports = { checkNames };
