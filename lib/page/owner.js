'use strict';

// Shows which server owns the key that the user types in.

/** What is shown now. */
let shownOwner = '';

/** Called at each tick too, because an owner settles with time alone. */
function renderOwner() {
  const { status, receivedAt, failingSince } = session;
  const key = inputById('owner-key').value;
  if (!status || !key) return clearOwner();
  const candidates = status.members.filter(mayOwn).map(({ baseUrl }) => baseUrl);
  const [owner, next] = ownersOf(key, candidates);
  const settled = !failingSince && isSettled(status, status.at + performance.now() - receivedAt);
  const text = JSON.stringify([key, owner, next, settled]);
  // A screen reader announces each change of the element.
  if (text === shownOwner) return;
  shownOwner = text;
  const isOwn = owner === status.baseUrl;
  const parts = owner ? ownerParts(owner, { next, settled, isOwn }) : ['Nobody: no server is online and ready.'];
  byId('owner').replaceChildren(...parts);
}

/**
 * @param {string} owner
 * @param {{ next: string | undefined, settled: boolean, isOwn: boolean }} details next: the owner if this one is gone
 */
function ownerParts(owner, { next, settled, isOwn }) {
  const url = make('div', 'own', owner, ...(isOwn ? [make('span', 'tag', 'this server')] : []));
  const notes = [
    ...(next ? [`Next: ${next}`] : []),
    ...(settled ? [] : ['Not settled: others may see another owner.']),
  ];
  return [url, ...notes.map((note) => make('div', 'soft', note))];
}

function clearOwner() {
  shownOwner = '';
  byId('owner').replaceChildren();
}

function forgetOwner() {
  inputById('owner-key').value = '';
  clearOwner();
}
