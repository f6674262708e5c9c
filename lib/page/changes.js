'use strict';

// The list of recent changes with their reasons, the newest first. New ones are also announced to screen readers.

/** Equal changes that follow each other this closely are one line. */
const TOGETHER_CHANGES_MS = 10_000;
/** How many servers a line names. */
const MAX_NAMES = 6;
/** More new lines than this are announced as a number. */
const MAX_ANNOUNCED = 3;

/**
 * @typedef {object} Change
 * @property {string} state that decides the mark
 * @property {string} verb what the servers did
 * @property {string} why
 * @property {number} at of the first server
 * @property {number} until of the last server
 * @property {string[]} urls
 */

/** Lines by their text, so that those that stay keep their elements. @type {Map<string, HTMLElement>} */
let changeItems = new Map();
/** The lines that were shown last. Undefined before the first time. @type {Set<string> | undefined} */
let shownChanges;
/** The short names in those elements. */
let changesNamesVersion = 0;

/** @param {Status} status */
function renderChanges(status) {
  if (changesNamesVersion !== namesVersion) changeItems = new Map();
  changesNamesVersion = namesVersion;
  /** @type {Map<string, HTMLElement>} */
  const items = new Map();
  const added = [];
  for (const change of groupChanges(status.recent)) {
    const key = JSON.stringify(change);
    const item = changeItems.get(key) ?? changeItem(change);
    items.set(key, item);
    if (!shownChanges || shownChanges.has(key)) continue;
    item.classList.add('new');
    added.push(`${namesText(change)} ${change.verb}`);
  }
  const list = byId('changes');
  const newestFirst = [...items.values()].reverse();
  if ([...list.children].some((it, i) => it !== newestFirst[i]) || list.children.length !== newestFirst.length) {
    list.replaceChildren(...newestFirst);
  }
  changeItems = items;
  shownChanges = new Set(items.keys());
  setText(byId('unchanged'), items.size > 0 ? '' : 'Nothing has changed since this server started.');
  if (added.length > 0) {
    setText(byId('announcement'), added.length > MAX_ANNOUNCED ? `${added.length} changes` : added.join('; '));
  }
}

/**
 * @param {readonly Readonly<MemberEvent>[]} events oldest first
 * @returns {Change[]}
 */
function groupChanges(events) {
  /** @type {Change[]} */
  const changes = [];
  /** The last event of each server. @type {Map<string, Readonly<MemberEvent>>} */
  const before = new Map();
  for (const [i, event] of events.entries()) {
    const { at, baseUrl, type } = event;
    // The failure that follows says more.
    const isNext = (/** @type {MemberEvent} */ it) => it.baseUrl === baseUrl && /^o(n|ff)line$/.test(it.type);
    if (type === 'suspect' && events.slice(i).find(isNext)?.reason === 'failed') continue;
    const change = { ...describeChange(event, before.get(baseUrl)), at, until: at, urls: [baseUrl] };
    if (type === 'online' || type === 'offline') before.set(baseUrl, event);
    const last = changes.at(-1);
    const isSame = last && last.state === change.state && last.verb === change.verb && last.why === change.why;
    if (isSame && at - last.until < TOGETHER_CHANGES_MS && !last.urls.includes(baseUrl)) {
      last.urls.push(baseUrl);
      last.until = at;
    } else changes.push(change);
  }
  return changes;
}

/**
 * @param {Readonly<MemberEvent>} event
 * @param {Readonly<MemberEvent>} [before] the last time that it went online or offline
 * @returns {Pick<Change, 'state' | 'verb' | 'why'>}
 */
function describeChange(event, before) {
  const { type, reason, by, error, ready } = event;
  const cause = error ? causeOf(error) : '';
  switch (type) {
    case 'online': {
      const wasOffline = before?.type === 'offline';
      const duration = wasOffline ? formatDuration(event.at - before.at) : '';
      return {
        state: 'online',
        verb: wasOffline ? 'back online' : 'came online',
        why: duration && `after ${duration}`,
      };
    }
    case 'offline': {
      const verbs = /** @type {Record<string, string>} */ ({ left: 'shut down', drained: 'drained', failed: 'failed' });
      const reporter = by && by !== session.status?.baseUrl ? `reported by ${nameOf(by)}` : '';
      const state = reason ?? 'unknown';
      return { state, verb: verbs[state] ?? 'went offline', why: [cause, reporter].filter(Boolean).join(', ') };
    }
    case 'suspect':
      return { state: 'suspect', verb: 'did not answer', why: cause };
    case 'tags':
      return { state: 'tags', verb: 'changed tags', why: tagsText(event) };
    case 'ready':
      return { state: 'tags', verb: ready ? 'became ready for work' : 'asked for no more work', why: '' };
  }
}

/** @param {Change} change */
function namesText({ urls }) {
  return urls.length > MAX_NAMES ? countOf(urls.length, 'server') : urls.map(nameOf).join(', ');
}

/** @param {Change} change */
function changeItem(change) {
  const { state, verb, why, at, urls } = change;
  const time = /** @type {HTMLTimeElement} */ (make('time', '', formatTime(at), make('small', '')));
  time.dateTime = new Date(at).toISOString();
  const names = urls.slice(0, MAX_NAMES).flatMap((url, i) => (i > 0 ? [', ', nameElement(url)] : [nameElement(url)]));
  const rest = urls.length - MAX_NAMES;
  const count = urls.length > 1 ? `${urls.length} servers ` : '';
  return make(
    'li',
    '',
    time,
    make(
      'div',
      '',
      make('b', state, stateSign(state), `${count}${verb}`),
      make('div', '', ...names, rest > 0 ? ` and ${rest} more` : ''),
      ...(why ? [make('div', 'soft', why)] : []),
    ),
  );
}

/** Updates how long ago the changes were. */
function tickChanges() {
  for (const time of byId('changes').querySelectorAll('time')) {
    setText(/** @type {Element} */ (time.lastElementChild), timeSince(Date.parse(time.dateTime)));
  }
}

function forgetChanges() {
  changeItems = new Map();
  shownChanges = undefined;
}
