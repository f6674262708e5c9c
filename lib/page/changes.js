'use strict';

// The list of recent changes, the newest first, which is also announced to screen readers.

const MAX_CHANGES = 200;
/** How many changes are remembered, so that none is added twice: more than a status has. */
const MAX_SEEN = 1000;
const KEPT_SEEN = 400;
/** More new changes than this are announced as a number. */
const MAX_ANNOUNCED = 3;

/** @type {Set<string>} */
let seenChanges = new Set();

/** @param {Status} status */
function renderChanges({ recent }) {
  const list = byId('changes');
  const isFirst = seenChanges.size === 0;
  const announced = [];
  for (const event of recent) {
    const id = `${event.at} ${event.type} ${event.baseUrl}`;
    if (seenChanges.has(id)) continue;
    seenChanges.add(id);
    const item = changeItem(event);
    if (!isFirst) {
      item.classList.add('new');
      announced.push(`${event.baseUrl}: ${changedState(event)}`);
    }
    list.prepend(item);
  }
  while (list.children.length > MAX_CHANGES) list.lastElementChild?.remove();
  if (seenChanges.size > MAX_SEEN) seenChanges = new Set([...seenChanges].slice(-KEPT_SEEN));
  if (announced.length > MAX_ANNOUNCED) setText(byId('announcement'), `${announced.length} changes`);
  else if (announced.length > 0) setText(byId('announcement'), announced.join('; '));
}

/** @param {MemberEvent} event */
const changedState = ({ type, reason }) => (type === 'offline' ? (reason ?? 'unknown') : type);

/** @param {MemberEvent} event */
function changeItem(event) {
  const time = /** @type {HTMLTimeElement} */ (make('time', '', new Date(event.at).toLocaleTimeString()));
  time.dateTime = new Date(event.at).toISOString();
  const details = [
    event.error && causeOf(event.error),
    event.by && `reported by ${event.by}`,
    event.type === 'tags' && tagsText(event),
    hasDelay(event) && `known after ${formatDuration(event.knownAfter)}`,
  ];
  return make(
    'li',
    '',
    time,
    ' ',
    stateMark(changedState(event)),
    make('div', 'own', event.baseUrl),
    make('div', 'soft', details.filter(Boolean).join(', ')),
  );
}

function forgetChanges() {
  seenChanges = new Set();
}
