'use strict';

// Concludes from what several servers say of a member what is wrong with it, in one or two sentences.

const { adviceFor, isDown, wordsFor } = require('./causes.js');
const { stateOf } = require('./members.js');

/** @typedef {import('./members.js').Member} Member */
/** @typedef {Pick<import('./survey.js').Asked, 'answers' | 'problem'>} Direct what the member answered from here */
/** @typedef {{ baseUrl: string, at?: number, member?: Member }} View */

/** A message that was on its way when the member failed does not count as one after that. */
const LATE_MS = 2_000;

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
  const states = new Set(members.map(stateOf));
  if (states.has('drained')) {
    return `It is drained: "clustershazbot undrain ${target.href}" puts it back online. ${stale(members, 'drained')}`.trim();
  }
  const down = members.filter(({ state, lastError }) => state !== 'online' || lastError);
  if (down.length > 0 && !down.every((member) => stateOf(member) === 'left'))
    return unreachable(target, total, members, direct);
  if (states.has('left')) return 'It left in order: its program was shut down.';
  const all = total === 1 ? '' : members.length === total ? 'All ' : `${members.length} of `;
  const list = total === 1 ? 'lists' : 'list';
  return `${all}${servers(total)} ${list} it online. ${direct.answers && !direct.problem ? '' : fromHere(target, direct)}`.trim();
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
  const code = commonest(failing.flatMap(({ lastError }) => lastError?.code ?? [])) ?? direct.problem?.code;
  const message = failing.find(({ lastError }) => lastError?.code === code)?.lastError?.message;
  const words = code ? wordsFor(code, message) : '';
  const count = failing.length > 0 ? failing.length : offline.length;
  const finding = failing.length > 0 ? 'cannot reach it' : 'list it as failed';
  const sentences = [`${count} of ${servers(total)} ${finding}${words ? `: ${words}` : ''}.`];
  if (offline.length > failing.length && failing.length > 0) {
    sentences.push(`${offline.length} list it as failed.`);
  }
  if (members.some(isAlive) && code && isDown(code)) {
    sentences.push('It still sends messages, so it runs: only the way to this URL is closed.');
  }
  const fine = members.length - new Set([...failing, ...offline]).size;
  if (fine > 0)
    sentences.push(
      `${servers(fine)} ${fine === 1 ? 'reaches' : 'reach'} it: look for what is between it and the others.`,
    );
  sentences.push(code ? adviceFor(code, target) : '');
  if (direct.answers && !direct.problem)
    sentences.push('It answers here: is the path from the servers to it another one?');
  else if (direct.problem && direct.problem.code !== code) sentences.push(fromHere(target, direct));
  return sentences.filter(Boolean).join(' ');
}

/**
 * @param {URL} target
 * @param {number} total
 * @param {Direct} direct
 */
function notListed(target, total, direct) {
  const problem = `None of ${servers(total)} lists it.`;
  if (!direct.answers || direct.problem) return `${problem} ${fromHere(target, direct)}`;
  const causes =
    'SHAZBOT_SECRET, SHAZBOT_CLUSTER or the master list differs there, or it lists itself with another base URL';
  return `${problem} It answers here: ${causes}. Run doctor with its environment.`;
}

/**
 * @param {URL} target
 * @param {Direct} direct
 */
function fromHere(target, { problem, answers }) {
  if (!problem) return answers ? 'It answers here.' : 'It does not answer here.';
  return `From here: ${problem.text}. ${adviceFor(problem.code, target)}`.trim();
}

/**
 * @param {Member[]} members
 * @param {string} state
 */
function stale(members, state) {
  const others = members.filter((member) => stateOf(member) !== state).length;
  return others > 0 ? `${servers(others)} did not learn of it yet.` : '';
}

/** @param {string[]} codes */
function commonest(codes) {
  const count = (/** @type {string} */ code) => codes.filter((it) => it === code).length;
  return codes.toSorted((a, b) => count(b) - count(a))[0];
}

/**
 * Whether a server has had messages of the member since it lists it as failed.
 * @param {Member} member
 */
const isAlive = ({ state, heard = 0, changedAt = Number.POSITIVE_INFINITY }) =>
  state === 'offline' && heard > changedAt + LATE_MS;

/** @param {number} count */
const servers = (count) => `${count} ${count === 1 ? 'server' : 'servers'}`;

module.exports = { conclusion, isAlive };
