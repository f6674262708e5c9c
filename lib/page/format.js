'use strict';

// Turns members, events and times of a status into text and marks.

/** @typedef {import('../../index.js').ShazbotStatus} Status */
/** @typedef {import('../../index.js').MemberStatus} Member */
/** @typedef {import('../../index.js').MemberEvent} MemberEvent */

/** The states in which the page shows a server. @type {Record<string, string>} */
const MARKS = { online: '●', suspect: '◐', drained: '■', left: '○', failed: '✕', unknown: '?' };

/** Those, and what else happens to a server. @type {Record<string, string>} */
const EVENT_MARKS = { ...MARKS, tags: '≡' };

/** @param {Member} member */
const stateOf = (member) => (member.state === 'offline' ? (member.reason ?? 'unknown') : member.state);

/** @param {Member} member */
const hasLeft = (member) => stateOf(member) === 'left';

/** @param {Member} member */
const reasonOf = (member) => why(member, session.status?.baseUrl);

/**
 * Whether it is known how long the news took: the time of a leave lies in the future.
 * @param {MemberEvent} event
 */
const hasDelay = ({ reason }) => reason !== 'left';

/** @param {string} state */
function stateMark(state) {
  const sign = make('span', '', `${EVENT_MARKS[state] ?? '?'} `);
  sign.setAttribute('aria-hidden', 'true');
  return make('span', `state ${state}`, sign, state);
}

/** @param {number} ms */
function formatDuration(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 90) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 129600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}
