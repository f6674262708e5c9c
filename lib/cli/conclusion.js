'use strict';

// Concludes from what several servers say of a member what is wrong with it, in one or two sentences.

const { adviceFor, isDown, isOfTls, wordsFor } = require('./causes.js');
const { stateOf } = require('./members.js');
const { formatCount } = require('./terminal.js');

/** @typedef {import('./members.js').Member} Member */
/** @typedef {Pick<import('./survey.js').Asked, 'answers' | 'problem'>} Direct what the member answered from here */
/** @typedef {{ baseUrl: string, at?: number, member?: Member }} View */

/** A message that was on its way when the member failed does not count as one after that. */
const LATE_MS = 2_000;
const TLS_DIFFERS =
  'Node accepts its certificate here, but the engine of the servers is stricter or trusts other authorities: see "TLS" in docs/production.md.';

/** Why a server that answers is in no list. */
const NOT_LISTED =
  'SHAZBOT_SECRET, SHAZBOT_CLUSTER or the master list differs there, or it lists itself with another base URL. Run doctor with its environment.';

/**
 * @param {URL} target
 * @param {View[]} views
 * @param {Direct} direct
 * @returns {string}
 */
function conclusion(target, views, direct) {
  const answered = views.filter(({ at, baseUrl }) => at !== undefined && baseUrl !== target.href);
  const own = views.find(({ at, baseUrl }) => at !== undefined && baseUrl === target.href);
  const total = answered.length || (own ? 1 : 0);
  if (total === 0) return `None of the servers answers. ${fromHere(target, direct)}`;
  const members = (answered.length > 0 ? answered : [own]).flatMap((view) => view?.member ?? []);
  if (members.length === 0) return notListed(target, total, direct);
  const now = newestState(members);
  if (now === 'drained') {
    return `It is drained: "clustershazbot undrain ${target.href}" puts it back online. ${stale(members, now)}`.trim();
  }
  const down = members.filter(({ state, lastError }) => state !== 'online' || lastError);
  if (!down.every(isOrderly)) return unreachable(target, total, members, direct);
  if (now === 'left') {
    const again = direct.answers && !direct.problem ? ` But a server answers there now. ${NOT_LISTED}` : '';
    return `It left in order: its program was shut down. ${stale(members, now)}${again}`.trim();
  }
  const online = members.length - down.length;
  const all = total === 1 ? '' : online === total ? 'All ' : `${online} of `;
  const parts = [
    `${all}${formatCount(total, 'server')} ${total === 1 ? 'lists' : 'list'} it online.`,
    stale(members, 'online'),
    direct.answers && !direct.problem ? '' : fromHere(target, direct),
  ];
  return parts.filter(Boolean).join(' ');
}

/**
 * @param {URL} target
 * @param {number} total
 * @param {Member[]} members
 * @param {Direct} direct
 */
function unreachable(target, total, members, direct) {
  const failing = members.filter(({ lastError }) => lastError);
  const offline = members.filter(({ state }) => state === 'offline');
  const { code = '', text = '' } = causeFrom(failing) ?? direct.problem ?? {};
  const [count, finding] =
    failing.length > 0 ? [failing.length, 'cannot reach it'] : [offline.length, 'list it as failed'];
  const fine = members.length - new Set([...failing, ...offline]).size;
  return [
    `${count} of ${formatCount(total, 'server')} ${finding}${text && `: ${text}`}.`,
    offline.length > count && `${offline.length} list it as failed.`,
    members.some(isAlive) && isDown(code) && 'It still sends messages, so it runs: only the way to this URL is closed.',
    fine > 0 &&
      `${formatCount(fine, 'server')} ${fine === 1 ? 'reaches' : 'reach'} it: look for what is between it and the others.`,
    adviceFor(code, target),
    differenceFromHere(target, code, direct),
  ]
    .filter(Boolean)
    .join(' ');
}

/**
 * The failure that most servers have found.
 * @param {Member[]} failing
 */
function causeFrom(failing) {
  const errors = failing.flatMap(({ lastError }) => lastError ?? []);
  const count = (/** @type {string} */ code) => errors.filter((it) => it.code === code).length;
  const [most] = errors.toSorted((a, b) => count(b.code) - count(a.code));
  return most && { code: most.code, text: wordsFor(most.code, most.message) };
}

/**
 * @param {URL} target
 * @param {string} code what the servers have found
 * @param {Direct} direct
 */
function differenceFromHere(target, code, direct) {
  if (direct.problem) return direct.problem.code === code ? '' : fromHere(target, direct);
  if (!direct.answers) return '';
  return isOfTls(code) ? TLS_DIFFERS : 'It answers here: is the path from the servers to it another one?';
}

/**
 * @param {URL} target
 * @param {number} total
 * @param {Direct} direct
 */
function notListed(target, total, direct) {
  const problem = `None of ${formatCount(total, 'server')} lists it.`;
  if (!direct.answers || direct.problem) return `${problem} ${fromHere(target, direct)}`;
  return `${problem} It answers here. ${NOT_LISTED}`;
}

/**
 * @param {URL} target
 * @param {Direct} direct
 */
function fromHere(target, { problem, answers }) {
  if (!problem) return answers ? 'It answers here.' : 'It does not answer here.';
  return `From here: ${problem.text}. ${adviceFor(problem.code, target)}`.trim();
}

/** @param {Member} member */
const isOrderly = (member) => ['drained', 'left'].includes(stateOf(member));

/**
 * The last state that a server was told: a drain and a leave raise the incarnation of the member, and so does its next start.
 * @param {Member[]} members
 */
function newestState(members) {
  const known = members.every(({ incarnation }) => incarnation !== undefined) ? members : members.filter(isOrderly);
  // Version 1 has no incarnation. Then the time at which a server noticed the change, by its own clock.
  const age = ({ incarnation = 0, changedAt = 0 }) => incarnation || changedAt;
  const [first] = known.toSorted((a, b) => age(b) - age(a) || Number(isOrderly(b)) - Number(isOrderly(a)));
  return first && stateOf(first);
}

/**
 * @param {Member[]} members
 * @param {string} state
 */
function stale(members, state) {
  const others = members.filter((member) => stateOf(member) !== state).length;
  return others > 0 ? `${formatCount(others, 'server')} ${others === 1 ? 'has' : 'have'} not learnt of it yet.` : '';
}

/**
 * Whether a server has had messages of the member since it lists it as failed.
 * @param {Member} member
 */
const isAlive = ({ state, heard = 0, changedAt = Number.POSITIVE_INFINITY }) =>
  state === 'offline' && heard > changedAt + LATE_MS;

module.exports = { conclusion, isAlive };
