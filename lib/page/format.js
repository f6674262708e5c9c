'use strict';

// Turns members, events and times of a status into text and marks.

/** @typedef {import('../../index.js').ShazbotStatus} Status */
/** @typedef {import('../../index.js').MemberStatus} Member */
/** @typedef {import('../../index.js').MemberEvent} MemberEvent */

/** The states in which the page shows a server, the most urgent first. @type {Record<string, string>} */
const MARKS = { failed: '✕', unknown: '?', suspect: '◐', drained: '■', online: '●', left: '○' };

/** What each state means, for the title of its button. @type {Record<string, string>} */
const MEANINGS = {
  failed: 'Nobody could reach it',
  unknown: 'Listed offline for an unknown reason',
  suspect: 'It does not answer this server; other servers are trying it',
  drained: 'It runs, but somebody took it out of service',
  online: 'It answers',
  left: 'It was shut down',
};

/** @param {Member} member */
const stateOf = (member) => (member.state === 'offline' ? (member.reason ?? 'unknown') : member.state);

/** @param {Member} member */
const hasLeft = (member) => stateOf(member) === 'left';

/** @param {Member} member */
const hasFailed = (member) => ['failed', 'unknown'].includes(stateOf(member));

/** @param {Member} member */
function reasonOf(member) {
  // The state says it.
  if (hasLeft(member) || stateOf(member) === 'drained') return '';
  const by = member.by && nameOf(member.by);
  const text = why({ ...member, by }, session.status && nameOf(session.status.baseUrl));
  return member.state === 'online' && text ? `unreachable from this server: ${text}` : text;
}

/** @param {string} state */
function stateSign(state) {
  const sign = make('span', state, `${MARKS[state] ?? '≡'} `);
  sign.setAttribute('aria-hidden', 'true');
  return sign;
}

/** @param {string} state */
const stateMark = (state) => make('span', `state ${state}`, stateSign(state), state);

/** Its number and its unit are not broken apart. @param {number} ms */
function formatDuration(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 1) return `${Math.round(s * 1000)}\u00A0ms`;
  if (s < 90) return `${Math.round(s)}\u00A0s`;
  if (s < 5400) return `${Math.round(s / 60)}\u00A0min`;
  if (s < 129600) return `${Math.round(s / 3600)}\u00A0h`;
  return `${Math.round(s / 86400)}\u00A0d`;
}

/**
 * The time, with the date if that is not today's.
 * @param {number} at
 */
function formatTime(at) {
  const date = new Date(at);
  const now = new Date(session.status?.at ?? at);
  const time = date.toLocaleTimeString(undefined, { timeStyle: 'medium', hourCycle: 'h23' });
  if (date.toDateString() === now.toDateString()) return time;
  const year = date.getFullYear() === now.getFullYear() ? undefined : 'numeric';
  return `${date.toLocaleDateString(undefined, { day: 'numeric', month: 'short', year })}, ${time}`;
}

/**
 * @param {number} count
 * @param {string} noun
 */
const countOf = (count, noun) => `${count} ${noun}${count === 1 ? '' : 's'}`;
