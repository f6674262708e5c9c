'use strict';

// Looks up the names in SHAZBOT_MASTER_LIST that lead to servers by DNS.

const { lookup, resolveSrv } = require('node:dns/promises');
const { parseBaseUrl } = require('../server-options.js');
const { formatCount } = require('../terminal.js');

/** @typedef {import('../commands/doctor.js').Finding} Finding */
/** @typedef {{ findings: Finding[], places: URL[] }} LookedUp places: where servers should answer, which need not be base URLs */

const NAME = /^(dns|srv)\+(.+)$/i;
/** How many addresses are printed. */
const MAX_SHOWN = 5;
const check = 'master list';

/**
 * Looks the names up, as the server does it.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<LookedUp>}
 */
async function lookUpNames({ SHAZBOT_MASTER_LIST: lists = '' }) {
  const names = lists.split(/\s+/).filter((it) => NAME.test(it));
  const all = await Promise.all(names.map(lookUpName));
  return { findings: all.flatMap(({ findings }) => findings), places: all.flatMap(({ places }) => places) };
}

/**
 * @param {string} name
 * @returns {Promise<LookedUp>}
 */
async function lookUpName(name) {
  const [, kind = '', text = ''] = NAME.exec(name) ?? [];
  const url = parseBaseUrl(text);
  // The engine has reported what is wrong with it.
  if (!url) {
    const found = `${kind}: it is not a name such as dns+http://app:3000/`;
    return { findings: [{ result: 'fail', check, found }], places: [] };
  }
  const what = `${kind}+${url.href}`;
  try {
    const hosts = kind.toLowerCase() === 'srv' ? await srvHosts(url.hostname) : await addresses(url);
    const rest = hosts.length > MAX_SHOWN ? ', …' : '';
    const found = `${what}: leads to ${formatCount(hosts.length, 'place')}: ${hosts.slice(0, MAX_SHOWN).join(', ')}${rest}`;
    const places = hosts.flatMap((host) => parseBaseUrl(`${url.protocol}//${host}${url.pathname}`) ?? []);
    return { findings: [{ result: 'ok', check, found }], places };
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    const advice =
      'Start the servers that the name should lead to, or correct the name. Before the first start it is normal.';
    return {
      findings: [{ result: 'warn', check, found: `${what}: cannot be looked up (${code ?? message})`, advice }],
      places: [],
    };
  }
}

/** @param {URL} url */
async function addresses({ hostname, port }) {
  const found = await lookup(hostname, { all: true });
  const hosts = found.map(({ address, family }) => (family === 6 ? `[${address}]` : address));
  return hosts.map((host) => (port ? `${host}:${port}` : host));
}

/** @param {string} name */
const srvHosts = async (name) => (await resolveSrv(name)).map((record) => `${record.name}:${record.port}`);

module.exports = { lookUpNames };
