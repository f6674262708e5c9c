'use strict';

// Says in one sentence how the cluster is.

/** The most servers that the headline names. */
const MAX_NAMED = 4;
/** Servers that failed within this time have failed together. */
const TOGETHER_MS = 60_000;

/** @typedef {{ level: 'good' | 'warning' | 'bad', text: string, note?: string }} Headline */

const LEVEL_MARKS = { good: '✓', warning: '!', bad: '✕' };

/** @param {Status} status */
const countOnline = ({ members }) => members.filter(({ state }) => state !== 'offline').length;

/**
 * The servers that should be online. Those that were shut down are not expected back: they must not look like an outage.
 * @param {Status} status
 */
const expectedMembers = ({ members }) => members.filter((it) => !hasLeft(it));

/**
 * @param {Status} status
 * @returns {Headline}
 */
function headlineOf(status) {
  const expected = expectedMembers(status);
  const failed = expected.filter(hasFailed);
  const suspects = expected.filter(({ state }) => state === 'suspect');
  const drained = expected.filter((it) => stateOf(it) === 'drained');
  const share = (/** @type {Member[]} */ members) => `${members.length} of ${countOf(expected.length, 'server')}`;
  if (failed.length > 0) return failureHeadline(share(failed), failed, expected);
  if (suspects.length > 0) {
    const verb = suspects.length === 1 ? 'does' : 'do';
    const text = `${share(suspects)} ${verb} not answer: ${namesOf(suspects)}`;
    return { level: 'warning', text, note: noteOf(commonCause(suspects), 'Other servers are checking') };
  }
  if (drained.length === expected.length) return { level: 'bad', text: 'No server is online: all are drained' };
  if (expected.length === 1) return { level: 'warning', text: 'This server knows no other server' };
  const warnings = status.warnings.length + (status.moreWarnings ?? 0);
  const isDrained = `${drained.length === 1 ? 'is' : 'are'} drained: ${namesOf(drained)}`;
  const text =
    drained.length > 0
      ? `${expected.length - drained.length} of ${expected.length} servers are online, ${drained.length} ${isDrained}`
      : `${expected.length === 2 ? 'Both' : `All ${expected.length}`} servers are online`;
  if (warnings > 0) return { level: 'warning', text: `${text}, with ${countOf(warnings, 'warning')}` };
  return { level: 'good', text };
}

/**
 * @param {string} share
 * @param {Member[]} failed
 * @param {Member[]} expected
 * @returns {Headline}
 */
function failureHeadline(share, failed, expected) {
  const newestFirst = [...failed].sort((a, b) => b.changedAt - a.changedAt);
  const [newest, oldest] = [newestFirst[0].changedAt, Number(newestFirst.at(-1)?.changedAt)];
  const isTogether = newest - oldest < TOGETHER_MS;
  const when = isTogether ? ` ${durationSince(newest)}\u00A0ago` : `, the last ${durationSince(newest)}\u00A0ago`;
  const tag = sharedTag(expected);
  const group = tag ? `every server of ${tag.key} ${tag.value}` : namesOf(isTogether ? failed : newestFirst);
  const text = `${share} failed${when}: ${group}`;
  const isCutOff = failed.length > (expected.length - 1) / 2;
  const advice = 'This server may be cut off from the others: open the page of another server too';
  return { level: 'bad', text, note: noteOf(isCutOff ? advice : '', commonCause(failed)) };
}

/** Why these servers do not answer; empty if the reasons differ. @param {Member[]} members */
function commonCause(members) {
  const causes = new Set(members.map(({ lastError }) => (lastError ? causeOf(lastError) : '')));
  return causes.size === 1 ? [...causes].join() : '';
}

/** @param {string[]} sentences without their full stops */
const noteOf = (...sentences) =>
  sentences.flatMap((it) => (it ? [`${it[0].toUpperCase()}${it.slice(1)}.`] : [])).join(' ');

/** @param {Member[]} members */
function namesOf(members) {
  // "a, b, c and 1 more" would be longer than the fourth name.
  const count = members.length > MAX_NAMED ? MAX_NAMED - 1 : MAX_NAMED;
  const names = members.slice(0, count).map(({ baseUrl }) => nameOf(baseUrl));
  const rest = members.length - names.length;
  return `${names.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/** Called at each tick too, because the text has durations. */
function renderHeadline() {
  const { status, failingSince, failure, receivedAt } = session;
  if (!status) return;
  const since = (/** @type {number} */ start) => formatDuration(Math.max(performance.now() - start, 1000));
  /** @returns {Headline} */
  const lost = () => ({
    level: 'bad',
    text: `No status from ${nameOf(status.baseUrl)} for ${since(failingSince)}: ${failure}`,
    note: `${since(receivedAt)}\u00A0ago: ${headlineOf(status).text}.`,
  });
  const { level, text, note = '' } = failingSince ? lost() : headlineOf(status);
  byId('headline').className = `headline ${level}`;
  setText(byId('level'), LEVEL_MARKS[level]);
  setText(byId('title'), text);
  setText(byId('note'), note);
  byId('content').classList.toggle('stale', Boolean(failingSince));
  const title = `${countOnline(status)}/${expectedMembers(status).length} online · Cluster`;
  document.title = failingSince ? `No status · ${title}` : title;
}
