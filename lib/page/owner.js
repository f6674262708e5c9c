'use strict';

// Shows which server owns the key that the user types in.

/** Called at each tick too, because an owner settles with time alone. */
function renderOwner() {
  const { status, receivedAt, failingSince } = session;
  const key = inputById('owner-key').value;
  if (!status || !key) return byId('owner').replaceChildren();
  const candidates = status.members.filter(mayOwn).map(({ baseUrl }) => baseUrl);
  const [owner, next] = ownersOf(key, candidates);
  const settled = !failingSince && isSettled(status, status.at + performance.now() - receivedAt);
  const isOwn = owner === status.baseUrl;
  const parts = owner ? ownerParts(owner, { next, settled, isOwn }) : ['Nobody: no server is online and ready.'];
  // A screen reader announces each change of the element.
  showChildren(byId('owner'), parts);
}

/**
 * @param {string} owner
 * @param {{ next: string | undefined, settled: boolean, isOwn: boolean }} details next: the owner if this one is gone
 */
function ownerParts(owner, { next, settled, isOwn }) {
  return [
    make('div', '', nameElement(owner), ...(isOwn ? [make('span', 'tag', 'this server')] : [])),
    ...(next ? [make('div', 'soft', 'Next: ', nameElement(next))] : []),
    ...(settled ? [] : [make('div', 'soft', 'Not settled: other servers may see another owner.')]),
  ];
}

function forgetOwner() {
  inputById('owner-key').value = '';
  byId('owner').replaceChildren();
}
