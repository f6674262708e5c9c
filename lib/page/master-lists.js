'use strict';

// The state of each master list.

/** @param {Status} status */
function renderMasterLists({ masterLists }) {
  const boxes = masterLists.map(({ name, servers, read, written, failures, error }) => {
    const box = make('div', 'changes', make('div', 'own', name));
    const times = `read ${timeSince(read)}, written by this server ${timeSince(written)}`;
    box.append(make('div', 'soft', `${servers} servers; ${times}`));
    if (error) box.append(make('div', 'failed', `${MARKS.failed} failed ${failures} times in a row: ${error}`));
    return box;
  });
  byId('lists').replaceChildren(...boxes);
}
