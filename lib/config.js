'use strict';

// Turns the configuration that a program passes to `shazbotStart` into environment variables, which the engine reads.

const { kinds } = require('./options.js');
const { suggestion } = require('./unknown-names.js');

/** @typedef {import('../index.js').ShazbotConfig} ShazbotConfig */
/** @typedef {'text' | 'number' | 'boolean' | 'words' | 'commas' | 'object'} Kind */

/** What a value may be, apart from a string. `words` and `commas`: an array, joined by spaces or commas. @type {Record<keyof ShazbotConfig, Kind>} */
const KINDS = {
  SHAZBOT_ENABLED: 'boolean',
  SHAZBOT_SECRET: 'text',
  SHAZBOT_SECRET_ALSO: 'text',
  SHAZBOT_CONTROL_SECRET: 'text',
  SHAZBOT_CONTROL_SECRET_ALSO: 'text',
  SHAZBOT_BASE_URL: 'text',
  SHAZBOT_MASTER_LIST: 'words',
  SHAZBOT_MASTER_LIST_AUTH: 'text',
  SHAZBOT_MASTER_LIST_UPDATE: 'words',
  SHAZBOT_MASTER_LIST_UPDATE_AUTH: 'text',
  SHAZBOT_MASTER_LIST_UPDATE_HEADERS: 'object',
  SHAZBOT_STATE_FILE: 'text',
  SHAZBOT_GOSSIP_INTERVAL: 'number',
  SHAZBOT_FORGET_AFTER: 'number',
  SHAZBOT_MASTER_ANNOUNCE_MINIMUM: 'number',
  SHAZBOT_MASTER_ANNOUNCE_INTERVAL: 'number',
  SHAZBOT_MONITOR: 'boolean',
  SHAZBOT_TAGS: 'object',
  SHAZBOT_READY: 'text',
  SHAZBOT_UPDATE_MASTER_LIST_ON_SHUTDOWN: 'boolean',
  SHAZBOT_ALLOWED_ORIGINS: 'commas',
  SHAZBOT_AUTH: 'text',
  SHAZBOT_CLUSTER: 'text',
  SHAZBOT_LIST_AUTH: 'text',
  SHAZBOT_TLS_CERT: 'text',
  SHAZBOT_TLS_KEY: 'text',
};

/** Of `shazbotStart`, and of the integrations that call it. The start checks the values, and reports all that are wrong. */
const START_OPTIONS = { config: kinds.any, discover: kinds.any, port: kinds.any, tags: kinds.any };

const EXPECTED = {
  text: 'a string',
  number: 'a number or a string',
  boolean: 'a boolean or a string',
  words: 'a string or an array of strings',
  commas: 'a string or an array of strings',
  object: 'an object of strings, or a string',
};

/** Variables that are not settings: of the command line, and of tests. */
const OTHER_VARIABLES = /^SHAZBOT_(?:CONTROL_SECRET_FILE|TEST_\w+)$/;
/** What Kubernetes and Docker links set for a service that is called shazbot, or whose name begins so. */
const SERVICE_VARIABLES = /_(?:SERVICE_(?:HOST|PORT)(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?)$/;

/**
 * The environment with the variables that `config` overrides. An undefined value overrides nothing.
 * @param {NodeJS.ProcessEnv} environment
 * @param {unknown} config
 * @returns {{ environment: NodeJS.ProcessEnv, problems: string[] }}
 */
function withConfig(environment, config) {
  if (config === undefined) return { environment, problems: [] };
  if (!isRecord(config)) return { environment, problems: [`config must be an object, not ${typeName(config)}`] };
  const problems = [];
  /** @type {NodeJS.ProcessEnv} */
  const overridden = { ...environment };
  for (const [name, value] of Object.entries(config)) {
    if (!Object.hasOwn(KINDS, name)) {
      problems.push(`config: unknown setting ${JSON.stringify(name)}${suggestion(name, Object.keys(KINDS))}`);
      continue;
    }
    if (value === undefined) continue;
    const kind = KINDS[/** @type {keyof ShazbotConfig} */ (name)];
    const text = toText(kind, value);
    if (text === undefined) problems.push(`config: ${name} must be ${EXPECTED[kind]}, not ${typeName(value)}`);
    else overridden[name] = text;
  }
  return { environment: overridden, problems };
}

/**
 * A sentence for each variable that begins with SHAZBOT_ and is not a setting.
 * @param {NodeJS.ProcessEnv} environment
 */
function unknownVariables(environment) {
  const isUnknown = (/** @type {string} */ name) =>
    /^SHAZBOT_/.test(name) &&
    !Object.hasOwn(KINDS, name) &&
    !OTHER_VARIABLES.test(name) &&
    !SERVICE_VARIABLES.test(name);
  const unknown = Object.keys(environment).filter(isUnknown).sort();
  return unknown.map(
    (name) =>
      `the environment variable ${name} is not a setting, and has no effect${suggestion(name, Object.keys(KINDS))}`,
  );
}

/**
 * @param {Kind} kind
 * @param {unknown} value
 * @returns {string | undefined} undefined if it is not of this kind
 */
function toText(kind, value) {
  if (typeof value === 'string') return value;
  if (kind === 'number' || kind === 'boolean') return typeof value === kind ? String(value) : undefined;
  if (kind === 'object') return isRecord(value) ? JSON.stringify(value) : undefined;
  if (kind === 'text' || !Array.isArray(value) || !value.every((it) => typeof it === 'string')) return undefined;
  return value.join(kind === 'words' ? ' ' : ',');
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
const isRecord = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * For messages. Not the value itself, which may be secret.
 * @param {unknown} value
 */
function typeName(value) {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array of this kind' : `a value of type ${typeof value}`;
}

module.exports = { KINDS, START_OPTIONS, unknownVariables, withConfig };
