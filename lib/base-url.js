'use strict';

// Fills in the placeholders of SHAZBOT_BASE_URL: {address}, {hostname}, {port} and {env:NAME}.

const dgram = require('node:dgram');
const { lookup, resolveSrv } = require('node:dns/promises');
const net = require('node:net');
const os = require('node:os');
// Imported, because tests may fake the global timers.
const { clearTimeout, setTimeout } = require('node:timers');
const { URL } = require('node:url');
const { kinds } = require('./options.js');

/** How long the start waits to learn from which address the servers of a list are reached. */
const ROUTE_TIMEOUT_MS = 2_000;

/** Stands for a base URL with a wrong placeholder, so that the engine reports the other problems only. */
const ANY_URL = 'http://placeholder.invalid/';

/**
 * @typedef {object} Filled
 * @property {string} [baseUrl] undefined if there is a problem
 * @property {string} [taken] a sentence that says what was filled in; undefined if there was no placeholder
 * @property {string[]} problems
 */

/**
 * Returns a promise only if this machine has several addresses, so that one must be chosen.
 * @param {NodeJS.ProcessEnv} environment
 * @param {{ port?: number | undefined, addresses?: string[] }} [known] port: overrides PORT
 * @returns {Filled | Promise<Filled>}
 */
function fillBaseUrl(environment, { port, addresses = ownAddresses() } = {}) {
  const template = environment.SHAZBOT_BASE_URL ?? '';
  const values = { hostname: os.hostname(), port: String(port ?? environment.PORT ?? '') };
  if (!template.includes('{address}') || addresses.length < 2) {
    return fill(template, environment, { ...values, address: addresses[0] ?? '' });
  }
  return chooseAddress(environment, addresses).then(({ address, why }) =>
    fill(template, environment, { ...values, address }, why),
  );
}

/**
 * @param {string} template
 * @param {NodeJS.ProcessEnv} environment
 * @param {{ address: string, hostname: string, port: string }} values
 * @param {string} [why] why this address
 * @returns {Filled}
 */
function fill(template, environment, values, why = 'the only address of this machine') {
  /** @type {string[]} */
  const problems = [];
  const filled = new Map();
  // Not `${NAME}` and `{{NAME}}`, which are variables that nothing has replaced: the engine reports them.
  const baseUrl = template.replace(/(?<![${])\{([^{}]*)\}/g, (placeholder, /** @type {string} */ name) => {
    const value = name.startsWith('env:')
      ? environment[name.slice(4)]
      : Object.entries(values).find(([it]) => it === name)?.[1];
    const problem = problemOf(name, value);
    if (problem) problems.push(`SHAZBOT_BASE_URL: ${placeholder}: ${problem}`);
    filled.set(placeholder, name === 'address' ? `${value} (${why})` : value);
    // An IPv6 address stands in brackets in a URL.
    return value && net.isIPv6(value) && !template.includes(`[${placeholder}]`) ? `[${value}]` : (value ?? '');
  });
  if (problems.length > 0) return { problems };
  if (filled.size === 0) return { baseUrl, problems };
  const parts = [...filled].map(([placeholder, value]) => `${placeholder} is ${value}`);
  return { baseUrl, problems, taken: `SHAZBOT_BASE_URL is ${baseUrl}: ${parts.join(', ')}` };
}

/**
 * @param {string} name of the placeholder
 * @param {string | undefined} value
 */
function problemOf(name, value) {
  if (name.startsWith('env:')) return value ? undefined : `the variable ${name.slice(4)} is not set`;
  switch (name) {
    case 'address':
      return value ? undefined : 'this machine has no address but loopback ones';
    case 'port': {
      if (!value) return 'set PORT, or pass the port to shazbotStart';
      return kinds.port('PORT', value);
    }
    case 'hostname':
      return undefined;
    default:
      return 'there are only {address}, {hostname}, {port} and {env:NAME}';
  }
}

/**
 * The addresses of this machine at which others may reach it, IPv4 first.
 * @returns {string[]}
 */
function ownAddresses() {
  const all = Object.values(os.networkInterfaces()).flatMap((it) => it ?? []);
  const usable = all.filter(({ address, internal }) => !internal && !/^(?:fe[89ab].:|169\.254\.)/i.test(address));
  const ofFamily = (/** @type {string} */ wanted) => usable.filter(({ family }) => family === wanted);
  return [...new Set([...ofFamily('IPv4'), ...ofFamily('IPv6')].map(({ address }) => address))];
}

/**
 * The address from which the first host of the master lists is reached, or else the first.
 * @param {NodeJS.ProcessEnv} environment
 * @param {string[]} addresses at least one
 * @returns {Promise<{ address: string, why: string }>}
 */
async function chooseAddress(environment, addresses) {
  const others = (/** @type {string} */ address) => `not ${addresses.filter((it) => it !== address).join(', ')}`;
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, ROUTE_TIMEOUT_MS, undefined);
  });
  const routed = await Promise.race([addressTowards(listHosts(environment), addresses), timeout]);
  clearTimeout(timer);
  if (routed) return { address: routed.address, why: `${routed.host} is reached from it; ${others(routed.address)}` };
  const [address = ''] = addresses;
  return { address, why: `the first; ${others(address)}` };
}

/**
 * @param {URL[]} hosts
 * @param {string[]} addresses
 */
async function addressTowards(hosts, addresses) {
  for (const { protocol, hostname } of hosts) {
    const host = hostname.replace(/^\[|\]$/g, '');
    for (const target of await targets(protocol, host).catch(() => [])) {
      const address = await sourceAddress(target).catch(() => '');
      if (addresses.includes(address)) return { host, address };
    }
  }
  return undefined;
}

/**
 * @param {string} protocol of a list, such as `srv+http:`
 * @param {string} host
 */
async function targets(protocol, host) {
  const names = protocol.startsWith('srv+') ? (await resolveSrv(host)).map(({ name }) => name) : [host];
  const found = await Promise.all(names.slice(0, 3).map((name) => lookup(name, { all: true })));
  return found.flat().map(({ address }) => address);
}

/** @param {NodeJS.ProcessEnv} environment */
function listHosts({ SHAZBOT_MASTER_LIST: lists = '' }) {
  const urls = lists.split(/\s+/).flatMap((it) => (URL.canParse(it) ? [new URL(it)] : []));
  return urls.filter(({ hostname }) => hostname);
}

/**
 * The address that packets to another address would come from. Connecting a UDP socket asks the system for its route and
 * sends nothing.
 * @param {string} target
 * @returns {Promise<string>}
 */
function sourceAddress(target) {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket(net.isIPv6(target) ? 'udp6' : 'udp4').unref();
    const end = (/** @type {() => void} */ settle) => {
      settle();
      socket.close();
    };
    socket.once('error', (error) => end(() => reject(error)));
    // The port does not matter.
    socket.connect(9, target, () => end(() => resolve(socket.address().address)));
  });
}

module.exports = { ANY_URL, fillBaseUrl };
