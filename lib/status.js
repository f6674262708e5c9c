'use strict';

// Builds the result of `shazbotStatus()`, and the same as JSON for the status route.

const { version } = require('../package.json');
const { counters } = require('./counters.js');
const { engine } = require('./engine.js');
const { unwrap } = require('./errors.js');
const { recentEvents } = require('./events.js');

let startedAt = 0;

/** Must be called when the engine starts. */
function rememberStart() {
  startedAt = Date.now();
}

/** Whether the engine of this process was ever started. */
const wasStarted = () => startedAt > 0;

/** @returns {import('../index.js').ShazbotStatus} */
function status() {
  const { before, members, after } = parts();
  return { ...before, members: JSON.parse(members), ...after };
}

/** @returns {{ at: number, rest: string }} `rest`: the JSON of everything else, which changes only when something happens */
function statusJson() {
  const { before, members, after } = parts();
  const { at, ...first } = before;
  return { at, rest: `${JSON.stringify(first).slice(0, -1)},"members":${members},${JSON.stringify(after).slice(1)}` };
}

/**
 * What a start is logged with.
 * @param {string | undefined} cluster
 */
function startText(cluster) {
  const { baseUrl, interval, members, masterLists } = status();
  const others = members.filter((member) => member.state !== 'offline' && member.baseUrl !== baseUrl).length;
  const lists = masterLists.map(({ name, servers, error }) => `${name} (${error ? 'failed' : servers})`);
  return (
    `started as ${baseUrl}${cluster ? ` in cluster ${cluster}` : ''}; other servers online: ${others}; servers in ` +
    `${lists.join(', ')}; a gossip round every ${interval} s`
  );
}

function parts() {
  // First: what has happened must be in the events if the members show it.
  const recent = recentEvents();
  // src/binding/status.rs documents the fields.
  const { own, members } = unwrap(engine.status());
  const [at, intervalMs, baseUrl, state, monitor, lastInAt, lastInUrl, lastOutAt, lastOutUrl, warnings, more] =
    JSON.parse(own);
  const { exchanges, masterLists } = counters();
  const before = {
    baseUrl,
    state,
    monitor: monitor === 1,
    version,
    at,
    startedAt,
    interval: intervalMs / 1000,
    ...(lastInAt !== null && { lastIn: { at: lastInAt, ...(lastInUrl !== null && { baseUrl: lastInUrl }) } }),
    ...(lastOutAt !== null && { lastOut: { at: lastOutAt, baseUrl: lastOutUrl } }),
    warnings: warnings.map(decodeWarning),
    ...(more > 0 && { moreWarnings: more }),
  };
  return { before, members, after: { masterLists, recent, exchanges } };
}

/**
 * @param {[code: string, message: string, since: number, subject: string | null]} row
 * @returns {import('../index.js').ShazbotWarning}
 */
function decodeWarning([code, message, since, subject]) {
  return { code, message, since, ...(subject !== null && { subject }) };
}

module.exports = { rememberStart, startText, status, statusJson, wasStarted };
